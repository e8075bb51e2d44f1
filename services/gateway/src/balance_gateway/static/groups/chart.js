// Chart of a group's imbalance with its band of tolerance. An element .chart names the figures to fetch
// (data-figures), the zone of the metering days and the words it needs; the table beneath says the same.
"use strict";

(() => {
  const SOLID = { LOSS: "--act", SURPLUS: "--act", WITHIN_TOLERANCE: "--fine", UNDECIDED: "--unsure" };
  // Days before months and clocks of 24 hours, as on the rest of the page.
  const lang = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  const format = new Intl.NumberFormat(lang, { maximumSignificantDigits: 4 });
  const number = (value) => (value == null ? "—" : format.format(value).replace("-", "−"));

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function hatched(context, name) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const pen = tile.getContext("2d");
    pen.globalAlpha = 0.25;
    pen.fillStyle = colour(name);
    pen.fillRect(0, 0, 6, 6);
    pen.globalAlpha = 1;
    pen.strokeStyle = colour(name);
    pen.lineWidth = 1.6;
    for (const shift of [-6, 0, 6]) {
      pen.moveTo(shift - 1, 7);
      pen.lineTo(shift + 7, -1);
    }
    pen.stroke();
    return context.createPattern(tile, "repeat");
  }

  // Solid when all members were heard, hatched when some are estimated, by the colour of the verdict.
  function fills(context, figures) {
    const made = new Map();
    const fill = (name, isSolid) => {
      const key = `${name} ${isSolid}`;
      if (!made.has(key)) made.set(key, isSolid ? colour(name) : hatched(context, name));
      return made.get(key);
    };
    const each = figures.verdict.map((verdict, i) => fill(SOLID[verdict] ?? "--unsure", figures.coverage[i] === "COMPLETE"));
    return [null, ...each, null];
  }

  function instants(zone, step) {
    const make = (shape) => new Intl.DateTimeFormat(lang, { timeZone: zone, ...shape });
    const day = make({ day: "numeric", month: "short" });
    const month = make({ month: "short", year: "numeric" });
    const hour = make({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const whole = make({ weekday: "short", day: "numeric", month: "short", year: "numeric" });
    const at = (format) => (seconds) => format.format(new Date(seconds * 1000));
    return {
      // As fine as the axis is; of hours midnight has its day.
      ticks: (u, splits, axis, space, increment) =>
        splits.map((split) => {
          if (increment >= 28 * 86400) return at(month)(split);
          const clock = at(hour)(split);
          return increment < 86400 && !clock.startsWith("00") ? clock : at(day)(split);
        }),
      told: (start) => {
        if (step === "month") return at(month)(start);
        return step === "hour" ? `${at(whole)(start)}, ${at(hour)(start)}` : at(whole)(start);
      },
    };
  }

  function options(element, figures, said) {
    const { zone, step, unit } = element.dataset;
    const time = instants(zone, step);
    const ink = () => colour("--faint");
    const grid = { stroke: () => colour("--line"), width: 1 };
    const shades = { all: null };
    const line = (name, shape) => ({ show: false, scale: "flow", stroke: () => colour(name), width: 1.5, spanGaps: false, ...shape });
    return {
      width: element.clientWidth,
      height: element.clientHeight,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      legend: { show: false },
      cursor: { y: false, points: { show: false } },
      scales: {
        y: { range: (u, low, high) => uPlot.rangeNum(Math.min(low ?? 0, 0), Math.max(high ?? 1, 0), 0.1, true) },
      },
      axes: [
        { stroke: ink, grid: { show: false }, ticks: grid, values: time.ticks, space: 70 },
        { stroke: ink, grid, ticks: grid, size: 64, label: unit, labelSize: 18, values: (u, splits) => splits.map(number) },
        // Of supply and members, which are so much more; there only while one of them is.
        { scale: "flow", side: 1, stroke: ink, grid: { show: false }, ticks: grid, size: 56, values: (u, splits) => splits.map(number) },
      ],
      series: [
        {},
        { stroke: () => colour("--unsure"), width: 1, dash: [4, 4], points: { show: false } },
        { stroke: () => colour("--unsure"), width: 1, dash: [4, 4], points: { show: false } },
        {
          width: 0,
          points: { show: false },
          paths: uPlot.paths.bars({
            size: [0.7, 36, 1],
            disp: { fill: { unit: 3, values: (u) => (shades.all ??= fills(u.ctx, figures)) } },
          }),
        },
        line("--supply", { points: { show: false } }),
        line("--members", { points: { show: false }, dash: [6, 3] }),
      ],
      bands: [{ series: [1, 2], fill: () => colour("--band") }],
      hooks: {
        setCursor: [(u) => said(u.cursor.idx == null ? "" : told(element, figures, time, u.cursor.idx - 1))],
        // A change between light and dark changes the fills too.
        init: [(u) => matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { shades.all = null; u.redraw(); })],
      },
    };
  }

  function told(element, figures, time, place) {
    const i = Math.min(Math.max(place, 0), figures.start.length - 1);
    const { unit, labelSupply, labelMembers, labelUnknown } = element.dataset;
    const when = time.told(figures.start[i]);
    if (figures.imbalance[i] == null) return `${when}: ${labelUnknown}`;
    const sign = figures.imbalance[i] > 0 ? "+" : "";
    return `${when}: ${sign}${number(figures.imbalance[i])} ± ${number(-figures.lower[i])} ${unit}`
      + ` · ${labelSupply} ${number(figures.supply[i])} · ${labelMembers} ${number(figures.members[i])}`;
  }

  async function draw(element) {
    const readout = document.getElementById(element.dataset.readout);
    const quiet = readout.textContent;
    const answer = await fetch(element.dataset.figures, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    const figures = await answer.json();
    if (figures.start.length === 0) {
      element.textContent = element.dataset.labelNothing;
      return;
    }
    const middles = figures.start.map((start, i) => (start + figures.end[i]) / 2);
    // Lines reach from the start of the first day to the end of the last; bars have a place of their own.
    const edged = (column) => [column[0], ...column, column.at(-1)];
    const columns = [
      [figures.start[0], ...middles, figures.end.at(-1)],
      edged(figures.upper),
      edged(figures.lower),
      [undefined, ...figures.imbalance, undefined],
      edged(figures.supply),
      edged(figures.members),
    ];
    const chart = new uPlot(options(element, figures, (words) => { readout.textContent = words || quiet; }), columns, element);
    new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: element.clientHeight })).observe(element);
    for (const box of document.querySelectorAll(`input[data-chart="${element.id}"]`)) {
      const show = () => chart.setSeries(Number(box.dataset.series), { show: box.checked });
      box.addEventListener("change", show);
      if (box.checked) show();
    }
  }

  for (const element of document.querySelectorAll(".chart[data-figures]")) {
    draw(element).catch((error) => { element.textContent = `${element.dataset.labelFailed} (${error.message})`; });
  }
})();
