// Buttons with a picture: styles, samples, results of the session.

// A file's name without its ending
export const plain = (name) => name.replace(/\.\w+$/, "");
const title = (name) => name.replaceAll("_", " ");

// `id` makes it one that is chosen or not
export function tile(url, name, clicked, id = null) {
  const button = document.createElement("button");
  const image = new Image();
  const label = document.createElement("span");
  button.type = "button";
  image.src = url;
  image.alt = "";
  label.textContent = title(name);
  button.append(image, label);
  if (id !== null) {
    button.dataset.id = id;
    button.setAttribute("aria-pressed", "false");
  }
  button.addEventListener("click", clicked);
  return button;
}
