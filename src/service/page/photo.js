// The photograph: from a file, the clipboard, the webcam or the samples; and a small copy of it for quick answers.

export const PREVIEW = 480; // short side in pixels

export async function readPhoto(blob, name, about) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    throw new Error(`${name}: the browser can't read this picture; take a JPEG, PNG, WebP, GIF or BMP file`);
  }
  const { width, height } = bitmap;
  const fits = Math.min(1, Math.sqrt((about.max_megapixels * 1e6) / (width * height)));
  const most = fits < 1 ? fits * 0.998 : 1; // a little below the limit: both sides are rounded
  let full = { blob, width, height, reduced: false };
  if (fits < 1 || blob.size > about.max_megabytes * 1e6 * 0.95) {
    full = await shrink(bitmap, most, "image/jpeg");
    full.reduced = true;
  }
  const small = await shrink(bitmap, Math.min(most, PREVIEW / Math.min(width, height)), "image/png");
  bitmap.close();
  return { name, full, small, url: URL.createObjectURL(small.blob) };
}

async function shrink(bitmap, scale, type) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff"; // as the service does it with what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, type, 0.95));
  return { blob, width: canvas.width, height: canvas.height };
}

export async function takePhoto() {
  const dialog = document.getElementById("webcam");
  const video = document.getElementById("camera");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } } });
  } catch {
    throw new Error("There is no webcam that this page may use; browsers allow it on https and on localhost only");
  }
  video.srcObject = stream;
  dialog.showModal();
  const answer = await new Promise((resolve) => {
    dialog.querySelectorAll("button").forEach((button) => (button.onclick = () => resolve(button.value)));
    dialog.oncancel = () => resolve("cancel");
  });
  let blob = null;
  if (answer === "take" && video.videoWidth) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }
  stream.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  dialog.close();
  return blob;
}
