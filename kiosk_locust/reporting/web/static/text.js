"use strict";
// Figures as people read them, each with its unit; and what may be a link.
const Text = (() => {
  const grouped = (number) => number.toLocaleString("en-US");

  function count(number, noun) {
    return `${grouped(number)} ${noun}${number === 1 ? "" : "s"}`;
  }

  // "4.5 ms", "12.3 s", "5.0 min", "2.08 h"; "-" for null.
  function seconds(value) {
    if (value === null || value === undefined) return "-";
    if (value < 0) return `-${seconds(-value)}`;
    if (value < 0.9995) return `${Number((value * 1000).toPrecision(3))} ms`;
    if (value < 119.95) return `${value.toFixed(value >= 9.995 ? 1 : 2)} s`;
    if (value < 119.95 * 60) return `${(value / 60).toFixed(1)} min`;
    return `${(value / 3600).toFixed(2)} h`;
  }

  // By the second, or by the minute or the hour where so few come in a second.
  function rate(value, what) {
    if (value === null || value === undefined) return "-";
    let [number, unit] = [value, "s"];
    if (value > 0 && value < 0.995) {
      [number, unit] = value * 60 >= 0.995 ? [value * 60, "min"] : [value * 3600, "h"];
    }
    const shown = number >= 999.5 ? grouped(Math.round(number)) : String(Number(number.toPrecision(3)));
    return `${shown} ${what}/${unit}`;
  }

  // An estimate of a time to come has no fractions.
  function about(value) {
    const whole = Math.max(1, Math.round(value));
    return `about ${whole < 120 ? `${whole} s` : seconds(whole)}`;
  }

  // "$12.34", "$1,234", "$0.0123", "$0.0000547"; "-" for null.
  function dollars(value) {
    if (value === null || value === undefined) return "-";
    const size = Math.abs(value);
    if (size >= 999.5) return `$${grouped(Math.round(value))}`;
    if (size >= 0.995 || !value) return `$${value.toFixed(2)}`;
    return `$${value.toFixed(Math.min(100, 2 - Math.floor(Math.log10(size))))}`;
  }

  function moment(epochSeconds) {
    if (epochSeconds === null || epochSeconds === undefined) return "-";
    return new Date(epochSeconds * 1000).toLocaleString("sv-SE");
  }

  // The address if it is one of the web; null for every other scheme and for what is none.
  function address(text) {
    if (!/^https?:\/\//i.test(text)) return null;
    try {
      const url = new URL(text);
      return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
    } catch {
      return null;
    }
  }

  return { grouped, count, seconds, about, rate, dollars, moment, address };
})();
