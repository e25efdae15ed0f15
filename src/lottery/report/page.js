"use strict";
(() => {
  const element = (id) => document.getElementById(id);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  // Claims: sorted by their heads, filtered by the form above them.
  const claims = new DataTable("#claims-table", {
    paging: false,
    order: [],
    autoWidth: false,
    layout: { topStart: "info", topEnd: null, bottomStart: null, bottomEnd: null },
    language: { info: "_TOTAL_ of _MAX_ claims", infoEmpty: "None of _MAX_ claims", infoFiltered: "", zeroRecords: "No claim is so." },
  });
  const COLUMN = { verdict: 0, family: 7, experiment: 8 };
  const filter = () => {
    claims.search(element("filter-text").value);
    for (const [name, column] of Object.entries(COLUMN)) {
      const field = element(`filter-${name}`);
      if (!field) continue; // of one experiment alone there is none
      const wanted = field.value;
      claims.column(column).search(wanted === "" ? "" : (text) => text === wanted);
    }
    claims.draw();
  };
  const filters = element("filters");
  filters.addEventListener("input", filter);
  filters.addEventListener("change", filter); // of lists not every browser tells an input
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("reset", () => setTimeout(filter));
  for (const total of document.querySelectorAll(".total")) {
    total.addEventListener("click", () => {
      element("filter-verdict").value = total.dataset.verdict;
      filter();
    });
  }

  // Masks.
  if (!element("mask-data")) return;
  const { experiments } = JSON.parse(element("mask-data").textContent);
  const input = Object.fromEntries(
    ["experiment", "arm", "level", "replicate", "unit", "layer"].map((name) => [name, element(`mask-${name}`)]),
  );
  const fill = (select, names) => select.replaceChildren(...names.map((name, place) => new Option(name, place)));
  const percent = (share) => (share === null ? "" : `${(100 * share).toPrecision(3)}%`);
  const experiment = () => experiments[input.experiment.value];
  const arm = () => experiment().arms[input.arm.value];
  const level = () => arm().levels[input.level.value];

  // The bits of a mask, those of all layers one after the other.
  const known = new Map();
  const bits = (text) => {
    if (!known.has(text)) {
      const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
      known.set(
        text,
        new Response(unpacked).arrayBuffer().then((buffer) => {
          const bytes = new Uint8Array(buffer);
          return Uint8Array.from({ length: 8 * bytes.length }, (_, place) => (bytes[place >> 3] >> (7 - (place & 7))) & 1);
        }),
      );
    }
    return known.get(text);
  };
  const offset = (number) =>
    experiment().layers.slice(0, number).reduce((sum, layer) => sum + layer.outputs * layer.inputs, 0);
  const ofLayer = (mask, number) => {
    const { outputs, inputs } = experiment().layers[number];
    return mask.subarray(offset(number), offset(number) + outputs * inputs);
  };
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const linksOf = (mask, number) => {
    const { outputs, inputs } = experiment().layers[number];
    const own = ofLayer(mask, number);
    return Array.from({ length: outputs }, (_, unit) => sum(own.subarray(unit * inputs, (unit + 1) * inputs)));
  };

  // Colours of rising brightness that the colour-blind tell apart (cividis, at nine places).
  const SCALE = [[0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115], [138, 134, 120], [165, 156, 116], [195, 179, 105], [254, 232, 56]];
  const shade = (share) => {
    const place = Math.min(share, 1) * (SCALE.length - 1);
    const low = Math.min(Math.floor(place), SCALE.length - 2);
    return SCALE[low].map((value, part) => value + (place - low) * (SCALE[low + 1][part] - value));
  };
  // values: of every input; those of the channels of a pixel are added.
  const paint = (canvas, values) => {
    const [height, width] = experiment().image_shape.slice(-2);
    const pixels = Array.from({ length: height * width }, (_, place) => {
      let total = 0;
      for (let at = place; at < values.length; at += height * width) total += values[at];
      return total;
    });
    const most = Math.max(...pixels, 1);
    const image = new ImageData(width, height);
    pixels.forEach((value, place) => image.data.set([...shade(value / most), 255], 4 * place));
    Object.assign(canvas, { width, height });
    canvas.getContext("2d").putImageData(image, 0, 0);
    return pixels;
  };

  const LINES = ["first", "second", "third", "fourth"];
  const DASHES = [[], [8, 4], [2, 3], [8, 3, 2, 3]];
  const charts = new Map();
  const chart = (id, x, lines, names) => {
    const place = element(id);
    charts.get(id)?.destroy();
    const axis = { stroke: color("text"), grid: { stroke: color("line"), width: 1 }, ticks: { stroke: color("line"), width: 1 } };
    const series = names.map((label, number) => ({
      label,
      stroke: color(LINES[number % LINES.length]),
      dash: DASHES[number % DASHES.length],
      width: 2,
      points: { show: x.length < 40, size: 5 },
    }));
    const options = {
      width: place.clientWidth || 320,
      height: 230,
      scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(0, low), 1.05 * (high || 1)] } },
      axes: [{ ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] }, axis],
      series: [{ label: "at" }, ...series],
      legend: { live: false, show: names.length > 1 },
      cursor: { show: false },
    };
    charts.set(id, new uPlot(options, [x, ...lines], place));
  };

  const overLevels = () => {
    const { levels } = arm();
    const names = experiment().layers.map((layer) => layer.name);
    const at = levels.map((each) => each.level);
    const lines = (value) => names.map((_, number) => levels.map((each) => value(each.layers[number])));
    chart("mask-stayed", at, lines((told) => (told.stayed === null ? null : 100 * told.stayed)), names);
    chart("mask-overlap", at, lines((told) => (told.overlap === null ? null : told.overlap / told.by_chance)), names);
    const rows = levels.flatMap((each) =>
      names.map((name, number) => {
        const told = each.layers[number];
        return [each.level, name, Math.round(told.kept).toLocaleString("en"), percent(told.stayed), percent(told.overlap), percent(told.by_chance)];
      }),
    );
    const cells = rows.map((texts) => {
      const row = document.createElement("tr");
      texts.forEach((text) => row.insertCell().append(text));
      return row;
    });
    element("mask-numbers").tBodies[0].replaceChildren(...cells);
  };

  let asked = 0;
  const show = async () => {
    const own = ++asked;
    const replicate = Number(input.replicate.value);
    const mask = await bits(level().masks[replicate]);
    if (own !== asked) return; // another was asked for meanwhile
    const [first] = experiment().layers;
    const kept = ofLayer(mask, 0);
    const perInput = new Array(first.inputs).fill(0);
    kept.forEach((bit, place) => (perInput[place % first.inputs] += bit));
    const pixels = paint(element("mask-pixels"), perInput);
    const most = Math.max(...pixels);
    element("mask-scale").textContent = `0 (dark) to ${most} (bright)`;
    const unit = Number(input.unit.value);
    const ofUnit = kept.subarray(unit * first.inputs, (unit + 1) * first.inputs);
    paint(element("mask-of-unit"), ofUnit);
    element("mask-of-unit-told").textContent = `Unit ${unit} keeps ${sum(ofUnit)} of ${first.inputs} links.`;
    input.unit.setAttribute("aria-valuetext", `unit ${unit}`);
    element("mask-unit-told").textContent = unit;
    const size = percent(level().remaining);
    element("mask-level-told").textContent = `${level().level} (${size})`;
    input.level.setAttribute("aria-valuetext", `level ${level().level}, ${size} of the weights`);
    element("mask-replicate-told").textContent = replicate;
    const unread = pixels.filter((value) => value === 0).length;
    element("mask-told").textContent =
      `${arm().name}, level ${level().level}, ${size} of the weights, replicate ${replicate}: the first layer keeps ` +
      `${sum(kept).toLocaleString("en")} of ${kept.length.toLocaleString("en")} weights; ` +
      `${unread} of ${pixels.length} pixels are read by no unit.`;
    const number = Number(input.layer.value);
    const links = linksOf(mask, number).sort((one, other) => other - one);
    chart("mask-links", links.map((_, place) => place + 1), [links], [experiment().layers[number].name]);
  };

  const choose = (what) => {
    if (what === "experiment") {
      fill(input.arm, experiment().arms.map((each) => each.name));
      fill(input.layer, experiment().layers.map((layer) => layer.name));
      input.unit.max = experiment().layers[0].outputs - 1;
      input.unit.value = 0;
      input.level.max = arm().levels.length - 1;
      input.level.value = Math.round(0.7 * input.level.max); // where the image tells something
    }
    if (what === "experiment" || what === "arm") {
      input.level.max = arm().levels.length - 1;
      input.level.value = Math.min(input.level.value, input.level.max);
      input.replicate.max = level().masks.length - 1;
      input.replicate.value = Math.min(input.replicate.value, input.replicate.max);
      overLevels();
    }
    show();
  };
  fill(input.experiment, experiments.map((each) => each.name));
  for (const [name, field] of Object.entries(input)) {
    field.addEventListener(field.type === "range" ? "input" : "change", () => choose(name));
  }
  element("mask-choice").addEventListener("submit", (event) => event.preventDefault());
  const redraw = () => choose("arm");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) redraw();
    width = innerWidth;
  });
  choose("experiment");
})();
