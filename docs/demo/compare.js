// The photograph over the result, up to an edge that is dragged, or moved by keys.

const element = (id) => document.getElementById(id);
export const frame = element("frame");

// Where the photograph ends: counted from the picture's own left side, which the frame may exceed
export function placeEdge() {
  const { width, height } = element("after");
  const box = frame.getBoundingClientRect();
  const shown = Math.min(box.width, (box.height * width) / height);
  const share = element("compare").value / 100;
  frame.style.setProperty("--edge", `${(box.width - shown) / 2 + share * shown}px`);
  frame.classList.toggle("compared", share > 0 && share < 1);
}

export function dragEdge(event) {
  if (event.type === "pointermove" && !event.buttons) return;
  const { width, height } = element("after");
  const box = frame.getBoundingClientRect();
  const shown = Math.min(box.width, (box.height * width) / height);
  const at = (event.clientX - box.left - (box.width - shown) / 2) / shown;
  element("compare").value = Math.round(100 * Math.min(1, Math.max(0, at)));
  placeEdge();
}
