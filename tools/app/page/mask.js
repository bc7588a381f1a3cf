// From a probability map to a mask and the pictures of it: what src/postprocess.py and tools/demo.py do, in the browser.

const LINE = [38, 166, 154]; // of src/pictures.py: HIT
const DIMMED = 0.35;

/** The mask (0 and 1) of pixels that are person, smoothed and without small islands: `final_mask`. */
export function finalMask(map, width, height, threshold, { smooth_px, min_component_px }) {
  let mask = new Uint8Array(width * height);
  for (let i = 0; i < mask.length; i++) mask[i] = map[i] >= threshold ? 1 : 0;
  if (smooth_px) {
    const half = Math.floor((smooth_px * smooth_px) / 2);
    mask = boxSum(mask, width, height, smooth_px).map((sum) => (sum > half ? 1 : 0));
  }
  return min_component_px ? withoutIslands(mask, width, height, min_component_px) : mask;
}

/** How many of the `size` x `size` pixels around each are 1; the border's pixels go on beyond it. */
export function boxSum(mask, width, height, size) {
  const across = sums(mask, width, height, 1, width, size);
  return sums(across, height, width, width, 1, size);
}

/** Sums of `size` neighbours along lines of `length` values `step` apart; there are `count` lines, `stride` apart. */
function sums(values, length, count, step, stride, size) {
  const result = new Uint16Array(values.length);
  const half = (size - 1) / 2;
  const last = length - 1;
  for (let line = 0; line < count; line++) {
    const start = line * stride;
    let sum = 0;
    for (let k = -half; k <= half; k++) sum += values[start + Math.min(Math.max(k, 0), last) * step];
    for (let at = 0; at < length; at++) {
      result[start + at * step] = sum;
      sum += values[start + Math.min(at + half + 1, last) * step] - values[start + Math.max(at - half, 0) * step];
    }
  }
  return result;
}

/** `mask` without connected parts of fewer than `least` pixels; corners connect. */
function withoutIslands(mask, width, height, least) {
  const result = new Uint8Array(mask.length);
  const seen = new Uint8Array(mask.length);
  const found = new Int32Array(mask.length);
  for (let first = 0; first < mask.length; first++) {
    if (!mask[first] || seen[first]) continue;
    let size = 0;
    found[size++] = first;
    seen[first] = 1;
    for (let next = 0; next < size; next++) {
      const x = found[next] % width;
      const y = (found[next] - x) / width;
      for (let v = Math.max(y - 1, 0); v <= Math.min(y + 1, height - 1); v++) {
        for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, width - 1); u++) {
          const i = v * width + u;
          if (mask[i] && !seen[i]) {
            seen[i] = 1;
            found[size++] = i;
          }
        }
      }
    }
    if (size >= least) for (let next = 0; next < size; next++) result[found[next]] = 1;
  }
  return result;
}

/** The picture, as ImageData, of `photo` (ImageData) with its `mask`: cutout, overlay, mask or photo. */
export function picture(view, photo, mask) {
  const { width, height } = photo;
  const result = new ImageData(new Uint8ClampedArray(photo.data), width, height);
  if (view === "cutout") {
    const around = boxSum(mask, width, height, 3); // an edge softened by a pixel sits well on any colour
    for (let i = 0; i < mask.length; i++) result.data[4 * i + 3] = (around[i] * 255) / 9;
  } else if (view === "mask") {
    for (let i = 0; i < mask.length; i++) result.data.fill(255 * mask[i], 4 * i, 4 * i + 3);
  } else if (view === "overlay") {
    drawOverlay(result.data, mask, width, height);
  }
  return result;
}

function drawOverlay(pixels, mask, width, height) {
  const size = 2 * Math.max(1, Math.round(Math.max(width, height) / 500)) + 1;
  const around = boxSum(mask, width, height, size);
  for (let i = 0; i < mask.length; i++) {
    const at = 4 * i;
    if (!mask[i]) {
      const grey = 0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2];
      pixels.fill(grey * DIMMED + 255 * 0.3, at, at + 3);
    } else if (around[i] < size * size) {
      pixels.set(LINE, at);
    }
  }
}
