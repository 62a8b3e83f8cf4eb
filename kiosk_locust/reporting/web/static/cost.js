"use strict";
// Nodes and cost, as far as they are known: every part may be missing.
const Cost = (() => {
  const list = (value) => (Array.isArray(value) ? value : []);

  function figures(cost) {
    return [cost.run, cost.fully_loaded, cost.marginal].filter(Boolean).map((f) => [
      f.name || "", f.meaning || "", (f.at_least ? "at least " : "") + Text.dollars(f.total_usd),
      Text.dollars(f.cpu_nodes_usd), Text.dollars(f.gpu_nodes_usd), Text.dollars(f.network_usd),
      Text.dollars(f.usd_per_image), Text.dollars(f.usd_per_million_images),
    ]);
  }

  function nodeRows(cost) {
    return list(cost.nodes).map((node) => [
      node.name || "", node.machine_type || "not known",
      node.gpus ? `${node.gpus} ${node.accelerator || ""}` : "none", node.spot ? "spot" : "on demand",
      Text.seconds(node.hours === undefined ? null : node.hours * 3600), Text.dollars(node.usd_per_hour),
      node.lacks ? `not known: ${node.lacks}` : Text.dollars(node.usd), node.price_source || "",
    ]);
  }

  function story(scaler) {
    const hours = (value) => (value === null || value === undefined ? null : `${Number(Number(value).toPrecision(3))} node hours`);
    return [
      ["first GPU node", scaler.first_gpu_node_s === 0 ? "was there already" : scaler.first_gpu_node_s && `${Text.seconds(scaler.first_gpu_node_s)} after the first submission`],
      ["scale-down", scaler.scale_down_s && `${Text.seconds(scaler.scale_down_s)} after the last job's end`],
      ["GPUs busy", hours(scaler.gpu_busy_hours)],
      ["GPUs idle", hours(scaler.gpu_idle_hours)],
      ["GPUs not measured", hours(scaler.gpu_unmeasured_hours)],
    ].filter(([, value]) => value);
  }

  function box(id) {
    let made = document.getElementById(id);
    if (!made) {
      made = Tables.element("div", "", { id, class: "wide" });
      document.getElementById("cost-body").append(made);
    }
    return id;
  }

  function show(picture) {
    const { cost } = picture;
    const none = document.getElementById("no-cost");
    none.hidden = Boolean(cost && cost.run && !cost.trouble);
    none.textContent = cost && cost.trouble ? cost.trouble : "Not known.";
    if (!cost) return;
    const right = (title) => ({ title, number: true });
    Tables.fill(box("cost-figures"), "Cost", [{ title: "figure" }, { title: "what it counts" }, right("total"), right("CPU nodes"), right("GPU nodes"), right("network"), right("per image"), right("per million images")], figures(cost));
    Tables.fill(box("cost-nodes"), "Cost by node", [{ title: "node" }, { title: "machine" }, { title: "GPUs" }, { title: "kind" }, right("in the run"), right("per hour"), right("cost"), { title: "price from" }], nodeRows(cost));
    Tables.fill(box("cost-story"), "The autoscaler", [{ title: "what" }, { title: "how long" }], story(cost.autoscaler || {}));
    const words = [
      ...(cost.asked ? [["asked", cost.asked]] : []),
      ...list(cost.reasons).map((text) => ["lacking", text]),
      ...list(cost.notes).map((text) => ["to know", text]),
      ...list(cost.left_out).map((text) => ["left out", text]),
      ...list(cost.sources).map((text) => ["prices from", text]),
    ];
    Tables.fill(box("cost-words"), "What the figures rest on", [{ title: "what" }, { title: "note" }], words);
  }

  return { show };
})();
