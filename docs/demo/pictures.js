// Arithmetic on pictures, equal to the project's Python: src/images/, src/stylize/flat.py and src/stylize/tiles.py.
// A picture is {width, height, data}; data is a Uint8Array of RGB, row by row.

const STYLE_SIDE = 256;
const STYLE_ASPECT = 4;
const MULTIPLE = 4;
const SMALLEST_SIDE = 16;
const MARGIN = 56;
const CROP = 512;
// Python's round: halves go to the even number
const round = (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

export function fromRgba({ width, height, data }) {
  const rgb = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = data[from];
    rgb[to + 1] = data[from + 1];
    rgb[to + 2] = data[from + 2];
  }
  return { width, height, data: rgb };
}

export function toRgba({ width, height, data }) {
  const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    rgba[to] = data[from];
    rgba[to + 1] = data[from + 1];
    rgba[to + 2] = data[from + 2];
  }
  return { width, height, data: rgba };
}

export function crop(picture, left, top, width, height) {
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const start = 3 * ((top + y) * picture.width + left);
    data.set(picture.data.subarray(start, start + 3 * width), 3 * y * width);
  }
  return { width, height, data };
}

// Pillow's weights of a Lanczos resampling, in its fixed point of 22 bits: for each pixel the first it reads, and weights
function lanczosWeights(from, to) {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const support = 3 * stretch;
  const sinc = (x) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const last = Math.min(from, Math.trunc(center + support + 0.5));
    const weights = Array.from({ length: last - first }, (_, x) => {
      const at = (x + first - center + 0.5) * (1 / stretch);
      return at >= -3 && at < 3 ? sinc(at) * sinc(at / 3) : 0;
    });
    const share = 1 / weights.reduce((a, b) => a + b, 0);
    const fixed = (weight) => Math.trunc(weight * share * 4194304 + (weight < 0 ? -0.5 : 0.5));
    return { first, weights: Float64Array.from(weights, fixed) };
  });
}

// Resamples along one axis of length `from`: so many lines, whose neighbours lie `step` numbers apart
function resample(data, from, to, lines, step) {
  const result = new Uint8ClampedArray((data.length / from) * to);
  lanczosWeights(from, to).forEach(({ first, weights }, i) => {
    for (let line = 0; line < lines; line++) {
      for (let k = 0; k < step; k++) {
        let sum = 2097152;
        let at = (line * from + first) * step + k;
        for (let j = 0; j < weights.length; j++, at += step) sum += weights[j] * data[at];
        result[(line * to + i) * step + k] = Math.floor(sum / 4194304);
      }
    }
  });
  return new Uint8Array(result.buffer);
}

export function resizeTo(picture, width, height) {
  let { data } = picture;
  if (width !== picture.width) data = resample(data, picture.width, width, picture.height, 3);
  if (height !== picture.height) data = resample(data, picture.height, height, 1, 3 * width);
  return { width, height, data };
}

export function resizeShortSide(picture, side) {
  const short = Math.min(picture.width, picture.height);
  const [width, height] = [picture.width, picture.height].map((s) => Math.max(1, round((s * side) / short)));
  return short === side ? picture : resizeTo(picture, width, height);
}

// The style as it is embedded: short side 256, the middle of very long ones
export function prepareStyle(style) {
  const longest = STYLE_ASPECT * Math.min(style.width, style.height);
  const width = Math.min(style.width, longest);
  const height = Math.min(style.height, longest);
  const [left, top] = [(style.width - width) >> 1, (style.height - height) >> 1];
  return resizeShortSide(crop(style, left, top, width, height), STYLE_SIDE);
}

// Extended at the right and the bottom by reflection, until the network takes it
export function pad(picture) {
  const wanted = (side) => Math.max(SMALLEST_SIDE, Math.ceil(side / MULTIPLE) * MULTIPLE);
  const width = wanted(picture.width);
  const height = wanted(picture.height);
  if (width === picture.width && height === picture.height) return picture;
  const reflect = (i, side) => {
    const period = Math.max(1, 2 * (side - 1));
    return i % period < side ? i % period : period - (i % period);
  };
  const data = new Uint8Array(3 * width * height);
  for (let y = 0, to = 0; y < height; y++) {
    const row = reflect(y, picture.height) * picture.width;
    for (let x = 0; x < width; x++, to += 3) {
      const from = 3 * (row + reflect(x, picture.width));
      for (let c = 0; c < 3; c++) data[to + c] = picture.data[from + c];
    }
  }
  return { width, height, data };
}

// Of a nearly flat content the most frequent level of each channel, and whether there is no other; else null
export function findBackground({ data }) {
  const count = data.length / 3;
  const levels = [];
  let constant = true;
  for (let c = 0; c < 3; c++) {
    const counts = new Float64Array(256);
    for (let i = c; i < data.length; i += 3) counts[data[i]]++;
    const most = counts.reduce((best, n, level) => (n > counts[best] ? level : best), 0);
    const square = counts.reduce((sum, n, level) => sum + n * (level - most) ** 2, 0) / count;
    if (counts[most] < count / 2 && Math.sqrt(square) > 8) return null;
    constant &&= counts[most] === count;
    levels.push(most);
  }
  return { levels, constant };
}

// Numbers of one picture as the network takes them, (3, H, W) in [0, 1] less a background
export function toNetwork({ width, height, data }, nothing = [0, 0, 0]) {
  const plane = width * height;
  const numbers = new Float32Array(3 * plane);
  for (let c = 0; c < 3; c++) {
    for (let i = 0, from = c; i < plane; i++, from += 3) numbers[c * plane + i] = data[from] / 255 - nothing[c];
  }
  return numbers;
}

export function toPicture(numbers, width, height) {
  const plane = width * height;
  const data = new Uint8ClampedArray(3 * plane);
  for (let c = 0; c < 3; c++) {
    for (let i = 0, to = c; i < plane; i++, to += 3) data[to] = numbers[c * plane + i] * 255;
  }
  return { width, height, data: new Uint8Array(data.buffer) };
}

// The brightness of a pastiche with the colours of its content; both in YCbCr of whole numbers, as Pillow has it
export function keepColours(pastiche, content) {
  const [{ data: bright }, { data: coloured }] = [pastiche, content];
  const data = new Uint8ClampedArray(bright.length);
  for (let i = 0; i < data.length; i += 3) {
    const y = Math.floor(0.299 * bright[i] + 0.587 * bright[i + 1] + 0.114 * bright[i + 2]);
    const [r, g, b] = [coloured[i], coloured[i + 1], coloured[i + 2]];
    const blue = Math.floor(-0.168736 * r - 0.331264 * g + 0.5 * b);
    const red = Math.floor(0.5 * r - 0.418688 * g - 0.081312 * b);
    data[i] = y + Math.floor(1.402 * red);
    data[i + 1] = y + Math.floor(-0.344136 * blue - 0.714136 * red);
    data[i + 2] = y + Math.floor(1.772 * blue);
  }
  return { ...pastiche, data: new Uint8Array(data.buffer) };
}

const spread = (length, side, count) =>
  Array.from({ length: count }, (_, i) => MULTIPLE * round(((i * (length - side)) / MULTIPLE) / Math.max(1, count - 1)));

// Tiles along an axis: what the network sees of it, and what is kept of that
export function planTiles(length, side) {
  if (length <= side) return [{ start: 0, side: length, low: 0, high: length }];
  const starts = spread(length, side, Math.ceil((length - 2 * MARGIN) / (side - 2 * MARGIN)));
  const middles = starts.slice(1).map((next, i) => Math.floor((starts[i] + side + next) / 2 / MULTIPLE) * MULTIPLE);
  const bounds = [0, ...middles, length];
  return starts.map((start, i) => ({ start, side, low: bounds[i], high: bounds[i + 1] }));
}

// Crops of one size that cover a picture, in batches that are each spread over all of it
export function planCrops(width, height, pixels) {
  const axes = [height, width].map((length) => {
    const count = Math.ceil(length / CROP);
    const side = Math.ceil(length / (count * MULTIPLE)) * MULTIPLE;
    return { side, starts: spread(length, side, count) };
  });
  const [rows, columns] = axes;
  const crops = rows.starts
    .flatMap((top, i) => columns.starts.map((left, j) => ({ order: (0.7549 * i + 0.5698 * j) % 1, left, top })))
    .sort((a, b) => a.order - b.order)
    .map(({ left, top }) => ({ left, top, width: columns.side, height: rows.side }));
  const count = Math.min(crops.length, Math.ceil((crops.length * rows.side * columns.side) / pixels));
  const cut = (i) => Math.floor((i * crops.length) / count);
  return Array.from({ length: count }, (_, i) => crops.slice(cut(i), cut(i + 1)));
}
