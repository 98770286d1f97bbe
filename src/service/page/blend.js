// The weights of up to four styles: a slider for each, and a square whose corners are the styles.

const pad = document.getElementById("pad");
const sliders = document.getElementById("sliders");
const clamp = (value) => Math.min(1, Math.max(0, value));

export class Blend {
  constructor(changed) {
    this.styles = [];
    this.changed = changed;
    this.point = [0.5, 0.5];
    pad.addEventListener("pointerdown", (event) => {
      pad.setPointerCapture(event.pointerId);
      this.drag(event);
    });
    pad.addEventListener("pointermove", (event) => pad.hasPointerCapture(event.pointerId) && this.drag(event));
    pad.addEventListener("keydown", (event) => this.step(event));
  }

  // styles: [{name, url, weight}]; their weights are read and changed in place
  show(styles) {
    this.styles = styles;
    document.getElementById("blend").hidden = styles.length < 2;
    pad.className = ["", "", "two", "three", "four"][styles.length];
    pad.querySelectorAll("img").forEach((image) => image.remove());
    styles.forEach((style, i) => {
      const image = new Image();
      image.src = style.url;
      image.alt = "";
      image.className = `c${i}`;
      pad.prepend(image);
    });
    sliders.replaceChildren(...styles.map((style) => this.slider(style)));
    this.update();
  }

  slider(style) {
    const label = document.createElement("label");
    const name = document.createElement("span");
    const output = document.createElement("output");
    const input = document.createElement("input");
    name.textContent = style.name;
    Object.assign(input, { type: "range", min: 0, max: 100, step: 1 });
    input.addEventListener("input", () => {
      style.weight = Number(input.value) / 100;
      this.update(input);
      this.changed();
    });
    label.append(name, output, input);
    return label;
  }

  even() {
    for (const style of this.styles) style.weight = 1 / this.styles.length;
    this.update();
    this.changed();
  }

  // weights by the place in the square, x and y from 0 to 1
  place(x, y) {
    const [first, second, third, fourth] = this.styles;
    first.weight = this.styles.length === 2 ? 1 - x : (1 - x) * (1 - y);
    second.weight = this.styles.length === 2 ? x : x * (1 - y);
    if (third) third.weight = fourth ? (1 - x) * y : y;
    if (fourth) fourth.weight = x * y;
    this.update();
    this.changed();
  }

  drag(event) {
    const box = pad.getBoundingClientRect();
    this.place(clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height));
  }

  step(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!steps) return;
    event.preventDefault();
    this.place(...this.point.map((value, axis) => clamp(value + steps[axis] * 0.05)));
  }

  // the point is where the weights would put it; of weights that no place has, the nearest by rows and columns
  update(moved = null) {
    const total = this.styles.reduce((sum, style) => sum + style.weight, 0) || 1;
    const weights = [0, 1, 2, 3].map((i) => (this.styles[i]?.weight ?? 0) / total);
    const count = this.styles.length;
    const upper = weights[0] + weights[1];
    const x = count === 3 ? (upper ? weights[1] / upper : this.point[0]) : weights[1] + weights[3];
    this.point = [x, count === 2 ? 0.5 : weights[2] + weights[3]];
    pad.style.setProperty("--x", `${this.point[0] * 100}%`);
    pad.style.setProperty("--y", `${this.point[1] * 100}%`);
    [...sliders.children].forEach((label, i) => {
      const input = label.querySelector("input");
      if (input !== moved) input.value = Math.round(this.styles[i].weight * 100);
      label.querySelector("output").textContent = `${Math.round(weights[i] * 100)} %`;
      input.setAttribute("aria-valuetext", `${Math.round(weights[i] * 100)} percent`);
    });
  }
}
