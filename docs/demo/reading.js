// From files and video frames to pixels.

// Canvases of more pixels are refused by phones
const MOST_PIXELS = 16_700_000;

// The pixels of a picture file or of a video's frame, upright, transparency over white
export function pixels(source, width, height) {
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(width * scale));
  canvas.height = Math.max(1, Math.floor(height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { width: canvas.width, height: canvas.height, data, reduced: scale < 1 };
}

export async function read(blob) {
  const bitmap = await createImageBitmap(blob).catch(() => {
    throw new Error(`${blob.name || "the picture"}: not a picture that this browser can read; expected JPEG, PNG or WebP`);
  });
  const image = pixels(bitmap, bitmap.width, bitmap.height);
  bitmap.close();
  return image;
}
