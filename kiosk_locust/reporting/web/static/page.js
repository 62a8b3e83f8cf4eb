"use strict";
// Fills the page from a picture of the run: once for one that is over, every 2 s for one that is on.
(() => {
  const EVERY_MS = 2000;
  const STATES = {
    starting: "Starting", running: "Running", ending: "Ending",
    finished: "Finished", interrupted: "Interrupted", died: "Its process died",
  };
  const { root, source, live } = document.body.dataset;
  const isLive = live === "yes";
  const frozen = document.getElementById("picture");
  const at = (id) => document.getElementById(id);
  let latest = null;

  function showState(p) {
    at("title").textContent = p.run_name;
    document.title = p.run_name;
    at("simulated").hidden = !p.simulated;
    const parts = [STATES[p.state] || p.state];
    if (p.state === "died") parts[0] += p.run_name.startsWith("simulated_") ? ", and its simulated Kiosk with it" : "; it can be resumed";
    if (p.state === "ending") parts[0] += p.in_flight ? "; jobs in flight may still end" : "; files are being written";
    if (p.ended_by && p.state !== "finished" && !p.verdict) parts.push(`Ended by: ${p.ended_by}`);
    if (p.verdict) parts.push(p.verdict[0].toUpperCase() + p.verdict.slice(1));
    const text = `${parts.join(". ")}.`;
    if (at("state").textContent !== text) at("state").textContent = text; // read aloud when new
  }

  // The time in which no process of the run was alive is part of the time taken.
  function interrupted(p) {
    const seconds = p.pauses.reduce((sum, pause) => sum + pause.seconds, 0);
    return seconds ? `, ${Text.seconds(seconds)} of it interrupted` : "";
  }

  function showProgress(p) {
    const bar = at("bar");
    bar.hidden = p.total === null;
    if (p.total !== null) {
      bar.max = Math.max(1, p.total);
      bar.value = p.closed;
    }
    const of = p.total === null ? "" : ` of ${Text.grouped(p.total)}`;
    const tiles = [
      ["Jobs closed", `${Text.grouped(p.closed)}${of}`],
      ["In flight", Text.count(p.in_flight, "job")],
      ["Submitted", Text.count(p.submitted, "job")],
      ["Rate wanted", p.workload === "open" ? Text.rate(p.rate_wanted_per_s, "jobs") : "closed workload"],
      ["Rate achieved", Text.rate(p.rate_achieved_per_s, "jobs")],
      ["Images", `${Text.grouped(p.images_done)} done, ${Text.grouped(p.images_failed)} failed`],
      ["Time taken", `${Text.seconds(p.elapsed_s)}${interrupted(p)}`],
    ];
    if (p.rate_per_s !== null) tiles.push(["Closed lately", Text.rate(p.rate_per_s, "jobs")]);
    if (p.left_s) tiles.push(["Time left", Text.about(p.left_s)]);
    if (p.never_begun) tiles.splice(1, 0, ["Never begun", Text.count(p.never_begun, "job")]);
    if (p.plateau) tiles.push(["Plateau", p.plateau]);
    tiles.push(["Kiosk", p.simulated ? "simulated" : p.host]);
    at("tiles").replaceChildren(...tiles.map(([label, value]) => Tables.tile(label, value)));
  }

  function showProblems(p) {
    at("no-problem").hidden = p.problems.length > 0;
    at("problem-list").replaceChildren(...p.problems.map((text) => Tables.element("li", text)));
  }

  // VALID or INVALID, and what became of each threshold: known once the run is over.
  function showJudgement(p) {
    const judged = p.judgement || { verdict: "", thresholds: [], unjudged: [] };
    const isValid = judged.verdict === "VALID";
    at("validity").hidden = !judged.verdict;
    at("validity").className = isValid ? "good" : "bad";
    at("validity").textContent = isValid
      ? (judged.checks ? `VALID: all ${judged.checks} checks passed.` : "VALID: nothing was checked.")
      : "INVALID: these numbers cannot be trusted.";
    if (judged.verdict) at("no-problem").hidden = true;
    at("unjudged").hidden = !judged.unjudged.length;
    at("unjudged").textContent = `Not judged, since it is not known, or says nothing of such a run: ${judged.unjudged.join(", ")}.`;
    at("thresholds").hidden = !judged.thresholds.length;
    const titles = ["threshold", "wanted", "measured", "result", "interval, or why there is none"];
    Tables.fill("threshold-table", "Wanted and measured", titles.map((title) => ({ title })),
      judged.thresholds.map((each) => [each.threshold, each.wanted, each.measured, each.verdict, each.note]));
    document.querySelectorAll("#threshold-table tbody tr").forEach((row, place) => {
      row.className = judged.thresholds[place].result === "pass" ? "good" : "bad";
    });
  }

  function showJobs(p) {
    const counted = (found) => Object.entries(found).sort((a, b) => b[1] - a[1])
      .map(([name, number]) => [name, Text.grouped(number)]);
    const columns = (what) => [{ title: what }, { title: "jobs", number: true }];
    Tables.fill("outcomes", "Closed, by outcome", columns("outcome"), counted(p.outcomes));
    Tables.fill("statuses", "In flight, by status", columns("status"), counted(p.statuses));
    const rows = Object.entries(p.labels).filter(([name]) => p.percentiles_s[name] && p.percentiles_s[name].count)
      .map(([name, label]) => {
        const found = p.percentiles_s[name];
        const values = [found.p50, found.p90, found.p95, found.p99, found.max].map(Text.seconds);
        return [label, Text.grouped(found.count), ...values];
      });
    const titles = ["values", "50 %", "90 %", "95 %", "99 %", "max"];
    Tables.fill("percentiles", "Percentiles", [{ title: "time" }, ...titles.map((title) => ({ title, number: true }))], rows);
    at("exactness").textContent = p.exact
      ? `Exact, by the nearest rank; version ${p.definitions_version} of the definitions.${p.cuts.length ? " Jobs of warm-up and cool-down are left out." : ""}`
      : "Within 0.1 % while the run goes on, by the Kiosk's stamps as they are: its clocks are set right at the end. Polling delay is left out. Exact in its results.";
    showJobTypes(p.by_job_type || {});
    Tables.fill("failed-images", "Failed images, by reason",
      [{ title: "reason" }, { title: "images", number: true }, { title: "jobs", number: true }, { title: "for example" }],
      p.failed_images.map((group) => [group.reason, Text.grouped(group.images), Text.grouped(group.jobs), group.names.join(", ")]));
    at("failed-images").hidden = p.failed_images.length === 0;
    at("no-failure").hidden = p.failures.length > 0;
    Tables.fill("failures", "Last failures, newest first",
      [{ title: "job" }, { title: "closed" }, { title: "outcome" }, { title: "reason" }, { title: "job id" }, { title: "output", link: true }],
      p.failures.map((f) => [`${f.number} of cycle ${f.cycle}`, Text.moment(f.at), f.outcome, f.reason, f.job_id, f.output_url]));
  }

  // Both durations count jobs that did not end as infinite: then a percentile is "> " what it is at least.
  function showJobTypes(types) {
    const value = (found) => (found.is_least ? "> " : "") + Text.seconds(found.value_s);
    const rows = Object.entries(types).map(([name, found]) => [
      name || "not known", Text.grouped(found.tickets), Text.grouped(found.outcomes.done), Text.grouped(found.outcomes.failed),
      Text.grouped(found.images_done), Text.rate(found.images_per_s, "images"),
      ...["duration", "since_due"].flatMap((measure) => ["p50", "p95", "p99"].map((percent) => value(found.latency[measure][percent]))),
    ]);
    const numbers = ["jobs", "done", "failed", "images done", "throughput", "job 50 %", "95 %", "99 %", "since due 50 %", "95 %", "99 %"];
    Tables.fill("by-job-type", "By job type", [{ title: "job type" }, ...numbers.map((title) => ({ title, number: true }))], rows);
  }

  function showFiles(p) {
    const links = p.files.map((file) => {
      const item = Tables.element("li");
      const name = encodeURIComponent(file.name);
      const past = source.endsWith("/data.json") ? source.slice(0, -"data.json".length) : `runs/${encodeURIComponent(p.run_name)}/`;
      const href = frozen ? name : `${root}${past}files/${name}`;
      item.append(Tables.element("a", file.name, { href }), ` ${file.what}`);
      return item;
    });
    if (!frozen) {
      const item = Tables.element("li");
      const href = root + source.replace(/data\.json$/, "jobs.csv");
      item.append(Tables.element("a", "jobs.csv", { href }), " all jobs, for a spreadsheet");
      links.push(item);
    }
    at("files").replaceChildren(...links);
  }

  // A line for each setting; those of a group have its name before their own.
  function settings([name, value]) {
    if (value === null) return [[name, ""]];
    if (Array.isArray(value)) return [[name, value.map((one) => (typeof one === "object" ? JSON.stringify(one) : one)).join(", ")]];
    if (typeof value !== "object") return [[name, value]];
    return Object.entries(value).flatMap(([part, within]) => settings([`${name}.${part}`, within]));
  }

  function showConfiguration(p) {
    const titles = [{ title: "setting" }, { title: "value" }];
    Tables.fill("configuration", "Configuration", titles, Object.entries(p.configuration).flatMap(settings));
  }

  function show(picture) {
    latest = picture;
    at("body").hidden = false;
    at("fault").hidden = true;
    showState(picture);
    showProgress(picture);
    showProblems(picture);
    showJudgement(picture);
    Charts.show(at("charts"), picture, () => latest);
    showJobs(picture);
    Cost.show(picture);
    showFiles(picture);
    showConfiguration(picture);
  }

  function wait(text, refusal) {
    at("state").textContent = text;
    at("fault").textContent = refusal || "";
    at("fault").hidden = !refusal;
  }

  async function load() {
    try {
      const answer = await fetch(root + source, { cache: "no-store" });
      if (answer.status === 503 && !isLive) {
        wait("Other runs are being looked at; this one follows.", "");
        setTimeout(load, 1000 * Number(answer.headers.get("Retry-After") || 2));
        return;
      }
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      const found = await answer.json();
      if (found.waiting) wait(found.refusal ? "No run is on." : "No run was started yet.", found.refusal);
      else show(found);
    } catch (error) {
      wait("What is shown may be old.", `It cannot be read anew: ${error.message}`);
    }
    if (isLive) setTimeout(load, EVERY_MS);
  }

  for (const query of ["(prefers-color-scheme: dark)", "print"]) {
    window.matchMedia(query).addEventListener("change", () => {
      if (latest) Charts.show(at("charts"), latest, () => latest, true);
      Charts.resize();
    });
  }
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  if (frozen) show(JSON.parse(frozen.textContent));
  else load();
})();
