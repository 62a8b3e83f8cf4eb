"use strict";
// The charts, each with its data as CSV. Without plotly there are only the data to download.
const Charts = (() => {
  const PARTS = {
    queue_wait: "queue wait", download: "download", predict: "predict",
    postprocess: "postprocess", upload: "upload", other: "the rest",
  };
  const PRINTED_PX = 680; // fits between the margins of A4 and of Letter
  const drawn = new Map(); // by chart: what it shows, so that nothing is drawn twice

  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }

  // The unit that suits a span of time: its name and its seconds.
  function unitOf(spanSeconds) {
    if (spanSeconds < 180) return ["s", 1];
    return spanSeconds < 3 * 3600 ? ["min", 60] : ["h", 3600];
  }

  // Plotly knows a few tags in names; ours come from elsewhere and have none.
  function plain(text) {
    return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  }

  function last(values) {
    const known = values.filter((value) => value !== null);
    return known.length ? known[known.length - 1] : null;
  }

  function times(picture) {
    const { course } = picture;
    const [unit, size] = unitOf(course.due.length * course.width_s);
    const moved = (share) => course.due.map((_, place) => ((place + share) * course.width_s) / size);
    return { unit, size, x: moved(0), middles: moved(0.5), ends: moved(1) };
  }

  // A level an interval, from its begin to its end.
  function steps({ x, ends }, y, name, colour, dash) {
    const made = line([...x, ...ends.slice(-1)], [...y, ...y.slice(-1)], name, colour);
    return { ...made, line: { color: color(colour), shape: "hv", dash } };
  }

  function line(x, y, name, colour, more = {}) {
    const { dash, ...rest } = more;
    return { type: "scatter", mode: "lines", x, y, name, line: { color: color(colour), dash }, ...rest };
  }

  function isOver(picture) {
    return ["finished", "interrupted", "died"].includes(picture.state);
  }

  // The last interval of a run that is on is not over: its counts are over its part.
  function perSecond(picture, values) {
    const width = picture.course.width_s;
    const isOn = picture.state === "running";
    return values.map((number, place) => {
      if (!isOn || place < values.length - 1) return number / width;
      const part = picture.elapsed_s - place * width;
      return part > width / 4 ? number / Math.min(width, part) : null;
    });
  }

  // Each: what it is called, its y axis, its traces, its data, and what it says in words.
  const CHARTS = [
    {
      id: "rates", title: "Jobs a second", y: "jobs/s", x: "since the start",
      note: "Due by the schedule, submitted, and closed.",
      traces: (p, time) => [
        steps(time, perSecond(p, p.course.closed), "closed", "c3"),
        steps(time, perSecond(p, p.course.submitted), "achieved", "c1"),
        ...(p.course.due.some(Boolean) // last, so that it is seen where it is kept
          ? [steps(time, perSecond(p, p.course.due), "wanted", "c2", "dot")]
          : []),
      ],
      columns: (p) => ({ due_jobs: p.course.due, submitted_jobs: p.course.submitted, closed_jobs: p.course.closed, not_done_jobs: p.course.failed }),
      words: (p) => `wanted ${Text.rate(p.rate_wanted_per_s, "jobs")}, achieved ${Text.rate(p.rate_achieved_per_s, "jobs")} over the run`,
    },
    {
      id: "in-flight", title: "Jobs in flight", y: "jobs", x: "since the start",
      note: "Submitted and not closed, at the end of each interval.",
      traces: (p, { ends }) => [line(ends, p.course.in_flight, "in flight", "c1", { fill: "tozeroy" })],
      columns: (p) => ({ in_flight_jobs: p.course.in_flight }),
      words: (p) => `${Text.count(p.in_flight, "job")} ${isOver(p) ? "at the end" : "now"}, at most ${Text.grouped(Math.max(0, ...p.course.in_flight))}`,
    },
    {
      id: "times", title: "Queue wait and job duration", y: "s", x: "since the start",
      note: "Of jobs that ended in each interval: median, and where they are 20 or more, 95th percentile; within 2.2 %.",
      empty: (p) => last(p.course.duration_p50_s) === null && last(p.course.queue_wait_p50_s) === null,
      traces: (p, { middles: x }) => [
        line(x, p.course.duration_p50_s, "job, median", "c1", { connectgaps: true }),
        line(x, p.course.duration_p95_s, "job, 95 %", "c1", { dash: "dot", connectgaps: true }),
        line(x, p.course.queue_wait_p50_s, "queue, median", "c2", { connectgaps: true }),
        line(x, p.course.queue_wait_p95_s, "queue, 95 %", "c2", { dash: "dot", connectgaps: true }),
      ],
      columns: (p) => ({
        duration_p50_s: p.course.duration_p50_s, duration_p95_s: p.course.duration_p95_s,
        queue_wait_p50_s: p.course.queue_wait_p50_s, queue_wait_p95_s: p.course.queue_wait_p95_s,
      }),
      words: (p) => [["a job", p.course.duration_p50_s], ["in the queue", p.course.queue_wait_p50_s]]
        .filter(([, values]) => last(values) !== null)
        .map(([what, values], place) => `${place ? "" : "at last a median "}of ${Text.seconds(last(values))} ${what}`).join(" and "),
    },
    {
      id: "stages", title: "Where the time goes", y: "s", x: "since the start",
      note: "Mean time in each stage, of jobs that ended in each interval; of a ZIP, a child's.",
      layout: { barmode: "stack", bargap: 0 },
      empty: (p) => Object.keys(p.course.parts_s).length === 0,
      traces: (p, { x, ends }) => Object.entries(p.course.parts_s).map(([name, values], place) => ({
        type: "bar", x, y: values, name: PARTS[name] || plain(name), offset: 0,
        width: ends[0] - x[0], marker: { color: color(`c${place + 1}`) },
      })),
      columns: (p) => Object.fromEntries(Object.entries(p.course.parts_s).map(([name, values]) => [`${name}_mean_s`, values])),
      words: (p) => Object.entries(p.course.parts_s).map(([name, values]) => `${PARTS[name] || name} ${Text.seconds(last(values))}`).join(", "),
    },
    {
      id: "histogram", title: "Durations of jobs", y: "jobs", x: "duration, s",
      note: "Each class is a few percent wide; lines mark percentiles.",
      layout: { bargap: 0, showlegend: false },
      axis: { type: "log" },
      empty: (p) => p.durations.counts.length === 0,
      traces: (p) => [{
        type: "bar", y: p.durations.counts, marker: { color: color("c1") }, name: "jobs",
        x: p.durations.counts.map((_, n) => (p.durations.edges_s[n] + p.durations.edges_s[n + 1]) / 2),
        width: p.durations.counts.map((_, n) => p.durations.edges_s[n + 1] - p.durations.edges_s[n]),
      }],
      marks: (p) => {
        const found = p.percentiles_s.duration;
        if (!found || !found.count) return [];
        return [["50 %", found.p50], ["95 %", found.p95], ["99 %", found.p99]].filter(([, value]) => value !== null);
      },
      rows: (p) => [["from_s", "to_s", "jobs"], ...p.durations.counts.map((number, n) => [p.durations.edges_s[n], p.durations.edges_s[n + 1], number])],
      words: (p) => {
        const found = p.percentiles_s.duration;
        const shares = [["95 %", found.p95], ["99 %", found.p99]].filter(([, value]) => value !== null)
          .map(([share, value]) => `, ${share} within ${Text.seconds(value)}`).join("");
        return found.p50 === null ? Text.count(found.count, "job") : `median ${Text.seconds(found.p50)}${shares}`;
      },
    },
    {
      id: "nodes", title: "Nodes", y: "nodes", x: "since the start",
      note: "What ran in the cluster, by machine type.",
      wanted: (p) => nodes(p).length > 0,
      traces: (p, { size }) => nodeTypes(p).map((type, place) => line(
        lasting(p).map((count) => (count.at - p.begun_at) / size),
        lasting(p).map((count) => count.nodes[type] || 0),
        plain(type), `c${(place % 6) + 1}`,
        { stackgroup: "nodes", line: { shape: "hv", color: color(`c${(place % 6) + 1}`) } },
      )),
      rows: (p) => [["since_start_s", ...nodeTypes(p)], ...nodes(p).map((count) => [count.at - p.begun_at, ...nodeTypes(p).map((type) => count.nodes[type] || 0)])],
      words: (p) => `at most ${Math.max(0, ...nodes(p).map((count) => Object.values(count.nodes).reduce((a, b) => a + b, 0)))} nodes`,
    },
  ];

  function nodes(picture) {
    const found = picture.cost && picture.cost.autoscaler && picture.cost.autoscaler.nodes;
    return Array.isArray(found) ? found.filter((count) => count && count.nodes) : [];
  }

  // They are told at each change, and stay so until the next one, or the end of the run.
  function lasting(picture) {
    const found = nodes(picture);
    const end = picture.begun_at + picture.elapsed_s;
    const final = found[found.length - 1];
    return final.at < end ? [...found, { ...final, at: end }] : found;
  }

  function nodeTypes(picture) {
    return [...new Set(nodes(picture).flatMap((count) => Object.keys(count.nodes)))].sort();
  }

  function rows(chart, picture) {
    if (chart.rows) return chart.rows(picture);
    const columns = Object.entries(chart.columns(picture));
    const begin = picture.course.due.map((_, place) => place * picture.course.width_s);
    return [
      ["since_start_s", ...columns.map(([name]) => name)],
      ...begin.map((at, place) => [at, ...columns.map(([, values]) => values[place])]),
    ];
  }

  function figure(chart, latest) {
    const made = Tables.element("figure", "", { id: `figure-${chart.id}` });
    const caption = Tables.element("figcaption");
    caption.append(Tables.element("h3", chart.title), Tables.element("p", chart.note));
    const button = Tables.element("button", "Data as CSV", { type: "button", "aria-label": `${chart.title}: data as CSV` });
    button.addEventListener("click", () => Tables.download(`${latest().run_name}_${chart.id}.csv`, rows(chart, latest())));
    made.append(caption);
    if (window.Plotly) made.append(Tables.element("div", "", { class: "chart", role: "img", id: `chart-${chart.id}` }));
    made.append(Tables.element("p", "", { class: "note", id: `words-${chart.id}` }), button);
    return made;
  }

  function marks(chart, picture) {
    if (!chart.marks) return {};
    const found = chart.marks(picture);
    return {
      shapes: found.map(([, at]) => ({ type: "line", x0: at, x1: at, y0: 0, y1: 1, yref: "paper", line: { color: color("c2"), dash: "dot" } })),
      annotations: found.map(([text, at], place) => ({ x: Math.log10(at), y: 1 - place * 0.1, yref: "paper", text, showarrow: false, xanchor: "left", font: { color: color("ink") } })),
    };
  }

  // Times in which nobody worked on the run, and those that its figures leave out.
  function shaded(picture, size) {
    const spans = [...picture.pauses.map((pause) => ({ ...pause, what: "nobody worked on it" })), ...picture.cuts];
    return spans.map((span) => ({
      type: "rect", x0: span.begin_s / size, x1: (span.begin_s + span.seconds) / size,
      y0: 0, y1: 1, yref: "paper", fillcolor: color("c6"), opacity: 0.25, line: { width: 0 },
      label: { text: span.what, font: { color: color("ink") } },
    }));
  }

  function layout(chart, picture, time) {
    const axis = { gridcolor: color("line"), zerolinecolor: color("line"), automargin: true };
    const isTime = chart.x === "since the start";
    const whole = chart.columns ? { range: [0, time.ends[time.ends.length - 1] || 1] } : {}; // one under the other
    const isPrinted = window.matchMedia("print").matches;
    return {
      ...(isPrinted ? { width: PRINTED_PX, autosize: false } : { autosize: true }),
      margin: { l: 52, r: 12, t: 8, b: 40 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: color("ink"), size: 12 }, legend: { orientation: "h", y: 1.02, yanchor: "bottom" },
      showlegend: true, dragmode: false, hovermode: "x",
      xaxis: { ...axis, title: { text: isTime ? `${chart.x}, ${time.unit}` : chart.x }, ...whole, ...chart.axis },
      yaxis: { ...axis, title: { text: chart.y }, rangemode: "tozero" },
      ...chart.layout,
      ...(isTime ? { shapes: shaded(picture, time.size) } : marks(chart, picture)),
    };
  }

  // Shows what has changed; `again` draws all, as for other colours.
  function show(box, picture, latest, again = false) {
    const time = times(picture);
    const wanted = CHARTS.filter((chart) => !chart.wanted || chart.wanted(picture));
    for (const chart of wanted) { // all boxes first: each one's width follows from their number
      if (!document.getElementById(`figure-${chart.id}`)) box.append(figure(chart, latest));
    }
    for (const chart of wanted) {
      const isEmpty = Boolean(chart.empty && chart.empty(picture));
      const words = isEmpty ? `no job ended${isOver(picture) ? "" : " yet"}` : chart.words(picture);
      document.getElementById(`words-${chart.id}`).textContent = `In words: ${words}.`;
      if (!window.Plotly) continue;
      const key = JSON.stringify(rows(chart, picture));
      if (!again && drawn.get(chart.id) === key) continue;
      drawn.set(chart.id, key);
      const place = document.getElementById(`chart-${chart.id}`);
      place.hidden = isEmpty; // no axes of nothing
      if (isEmpty) continue;
      place.setAttribute("aria-label", `${chart.title}: ${words}`);
      window.Plotly.react(place, chart.traces(picture, time), layout(chart, picture, time), { displayModeBar: false, responsive: true, scrollZoom: false });
    }
  }

  function resize() {
    if (!window.Plotly) return;
    for (const place of document.querySelectorAll(".chart")) window.Plotly.Plots.resize(place);
  }

  return { show, resize, rows, CHARTS };
})();
