"use strict";
(() => {
  const list = document.getElementById("clips"), form = document.getElementById("controls");
  const clips = [...list.children];
  const [sort, flag, name, unfold, count] =
    ["sort", "flag", "name", "unfold", "count"].map(id => document.getElementById(id));
  const by = {
    score: (a, b) => b.dataset.score - a.dataset.score,
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name, undefined, {numeric: true}),
    residual: (a, b) => b.dataset.residual - a.dataset.residual,
    flags: (a, b) => b.dataset.ranges - a.dataset.ranges,
  };
  const has = clip => {
    const flags = clip.dataset.flags.split(" ").filter(Boolean);
    if (flag.value === "") return true;
    if (flag.value === "*") return flags.length > 0;
    if (flag.value === "-") return flags.length === 0;
    return flags.includes(flag.value);
  };
  const filter = () => {
    const text = name.value.trim().toLocaleLowerCase();
    let shown = 0;
    for (const clip of clips) {
      clip.hidden = !(has(clip) && clip.dataset.name.toLocaleLowerCase().includes(text));
      shown += !clip.hidden;
    }
    count.value = shown + " of " + clips.length + " shown";
  };
  sort.addEventListener("change", () => list.append(...[...clips].sort(by[sort.value])));
  flag.addEventListener("change", filter);
  name.addEventListener("input", filter);
  form.addEventListener("submit", event => event.preventDefault());
  for (const input of form.elements.show)
    input.addEventListener("change", () => { document.body.dataset.show = input.value; });
  unfold.addEventListener("click", () => {
    const open = unfold.textContent === "Unfold all";
    for (const clip of clips) if (!clip.hidden) clip.firstElementChild.open = open;
    unfold.textContent = open ? "Fold all" : "Unfold all";
  });
  form.hidden = false;
  filter();
})();
