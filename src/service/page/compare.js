// Photograph and stylised picture over each other, with a line between that is dragged, or moved by keys.

const element = (id) => document.getElementById(id);
const frame = element("frame");
const divider = element("divider");

export function showPhoto(photo) {
  element("empty").hidden = true;
  element("compare").hidden = element("under").hidden = false;
  element("before").src = photo.url;
  frame.classList.toggle("small", photo.small.width < 640);
  showResult(null);
}

export function showResult(url) {
  const missing = url === null;
  element("after").hidden = element("handle").hidden = missing;
  for (const chip of document.querySelectorAll(".chip")) chip.hidden = missing;
  divider.disabled = missing;
  if (!missing) element("after").src = url;
}

function move(percent) {
  divider.value = percent;
  frame.style.setProperty("--at", `${percent}%`);
  document.querySelector(".chip.left").classList.toggle("unseen", percent < 18);
  document.querySelector(".chip.right").classList.toggle("unseen", percent > 82);
}

function drag(event) {
  const box = frame.getBoundingClientRect();
  move(Math.min(100, Math.max(0, ((event.clientX - box.left) / box.width) * 100)));
}

divider.addEventListener("input", () => move(Number(divider.value)));
frame.addEventListener("pointerdown", (event) => {
  if (divider.disabled) return;
  event.preventDefault();
  frame.setPointerCapture(event.pointerId);
  drag(event);
});
frame.addEventListener("pointermove", (event) => frame.hasPointerCapture(event.pointerId) && drag(event));
move(0);
