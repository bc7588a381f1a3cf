// The page: photos in, what each chosen model makes of them out. All of it happens in this tab.

import { get } from "./get.js";
import { finalMask, picture } from "./mask.js";

const LONGEST = 1280; // pixels of the side of a photo as it is shown, and as a model sees it; a cut-out has them all
const CAMERA_REFUSED = "The camera cannot be used: allow it for this page in the browser, or drop a photo instead.";

const find = (selector, inside = document) => inside.querySelector(selector);
const worker = new Worker("worker.js", { type: "module" });
const waiting = new Map(); // by number: what is told of the worker's answer
const photos = [];
const chosen = new Set(); // names of models, in the order in which they were pressed
const thresholds = new Map(); // by model: where its slider stands
const cards = new Map(); // by model: its card
let settings; // what the server says: models, max_megapixels
let current; // the photo that is looked at
let view = "cutout";

worker.onmessage = ({ data }) => {
  waiting.get(data.id)(data);
  waiting.delete(data.id);
};
worker.onerror = (event) => complain(`The models cannot run here: ${event.message || "this browser is too old"}.`);

function complain(...lines) {
  find("#error").replaceChildren(...lines.flatMap((line, i) => (i ? [document.createElement("br"), line] : [line])));
  find("#error").hidden = !lines.length;
}

// Photos

async function add(files) {
  const problems = [];
  const before = photos.length;
  complain();
  for (const file of files) {
    try {
      photos.push(await read(file, file.name || "photo.png"));
      if (photos.length === before + 1) show(photos[before]);
    } catch (error) {
      problems.push(error.message);
    }
  }
  complain(...problems);
}

/** A photo of the bytes `blob`; its pixels are kept as small as they are shown. */
async function read(blob, name) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" });
  } catch {
    throw new Error(`${name} is not a photo that this browser can read; take a PNG, JPEG or WebP file.`);
  }
  const megapixels = (bitmap.width * bitmap.height) / 1e6;
  if (megapixels > settings.max_megapixels) {
    const size = `${bitmap.width} x ${bitmap.height}`;
    bitmap.close();
    throw new Error(`${name} is too large, ${size} pixels; at most ${settings.max_megapixels} million are let in.`);
  }
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const canvas = drawn(bitmap, Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const photo = { name, blob, pixels, scale, width: bitmap.width, height: bitmap.height, maps: new Map() };
  bitmap.close();
  addThumbnail(photo, canvas);
  return photo;
}

function drawn(image, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white"; // behind what is transparent
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, width, height);
  return canvas;
}

function addThumbnail(photo, canvas) {
  photo.button = Object.assign(document.createElement("button"), { type: "button", title: photo.name });
  photo.button.setAttribute("aria-label", photo.name);
  photo.button.append(drawn(canvas, Math.max(1, Math.round((144 * canvas.width) / canvas.height)), 144));
  photo.button.onclick = () => show(photo);
  find("#strip").append(photo.button);
}

function show(photo) {
  current = photo;
  for (const { button } of photos) button.setAttribute("aria-pressed", button === photo.button);
  find("#work").hidden = false;
  find("#drop").classList.add("small");
  document.body.classList.add("has-photo");
  for (const name of chosen) look(name);
}

// Models

function addModel(model) {
  const button = Object.assign(document.createElement("button"), { type: "button", value: model.name });
  button.append(model.name);
  if (model.dice) button.append(" ", Object.assign(document.createElement("small"), { textContent: model.dice.toFixed(3) }));
  if (model.dice) button.title = "mean Dice on the holdout photos that it was scored on";
  button.onclick = () => toggle(model.name);
  find("#models").append(button);
}

function toggle(name) {
  if (chosen.has(name) && chosen.size > 1) {
    chosen.delete(name);
    cards.get(name).remove();
  } else if (!chosen.has(name)) {
    chosen.add(name);
    find("#results").append(card(name));
    if (current) look(name);
  }
  for (const button of find("#models").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", chosen.has(button.value));
  }
  find("#using").textContent = [...chosen].join(", ");
}

/** The card of the model `name`, made when it is first asked for. */
function card(name) {
  if (cards.has(name)) return cards.get(name);
  const made = find("#result").content.firstElementChild.cloneNode(true);
  const slider = find("input", made);
  find("h2", made).append(name, document.createElement("small"));
  slider.setAttribute("aria-label", `Threshold of ${name}`);
  slider.oninput = () => {
    thresholds.set(name, Number(slider.value));
    redraw(name);
  };
  find(".reset", made).onclick = async () => {
    thresholds.set(name, (await facts(name)).threshold);
    draw(name);
  };
  find(".download", made).onclick = () => download(name);
  cards.set(name, made);
  return made;
}

const known = new Map();
/** What the server says about the model `name`, which it may have to make first; throws an Error with its one line. */
function facts(name) {
  if (!known.has(name)) {
    const asked = get(`models/${encodeURIComponent(name)}.json`).then((answer) => answer.json());
    asked.catch(() => known.delete(name));
    known.set(name, asked);
  }
  return known.get(name);
}

/** Shows what the model `name` makes of the current photo; asks it first if need be. */
async function look(name) {
  const photo = current;
  if (!photo.maps.has(name)) {
    wait(name, known.has(name) ? "looking ..." : "getting the model ready; the first time takes some seconds ...");
    photo.maps.set(name, ask(name, photo));
  }
  try {
    const { seconds } = await photo.maps.get(name);
    if (photo !== current) return;
    wait(name, "");
    find("h2 small", cards.get(name)).textContent = `${seconds.toFixed(2)} s`;
    draw(name);
  } catch (error) {
    photo.maps.delete(name);
    if (photo === current) wait(name, error.message, false);
  }
}

async function ask(name, photo) {
  const { threshold } = await facts(name);
  if (!thresholds.has(name)) thresholds.set(name, threshold);
  const { width, height, data } = photo.pixels;
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) rgb.set(data.subarray(4 * i, 4 * i + 3), 3 * i);
  const id = crypto.randomUUID();
  const answer = await new Promise((resolve) => {
    waiting.set(id, resolve);
    worker.postMessage({ id, name, photo: rgb, width, height }, [rgb.buffer]);
  });
  if (answer.error) throw new Error(answer.error);
  return answer;
}

function wait(name, text, working = true) {
  const line = find(".wait", cards.get(name));
  line.textContent = text;
  line.classList.toggle("working", working && text !== "");
  for (const control of cards.get(name).querySelectorAll("button, input")) control.disabled = text !== "";
  if (text) drawPhoto(name);
}

// Pictures

function drawPhoto(name) {
  const canvas = find("canvas", cards.get(name));
  Object.assign(canvas, { width: current.pixels.width, height: current.pixels.height }).className = "";
  canvas.getContext("2d").putImageData(current.pixels, 0, 0);
  canvas.setAttribute("aria-label", `${current.name}, as it is`);
}

async function maskOf(name, photo) {
  const { map } = await photo.maps.get(name);
  const { width, height } = photo.pixels;
  const { smooth_px, min_component_px } = await facts(name);
  const least = Math.round(min_component_px * photo.scale ** 2);
  return finalMask(map, width, height, thresholds.get(name), { smooth_px, min_component_px: least });
}

async function draw(name) {
  const photo = current;
  if (!photo?.maps.has(name) || !chosen.has(name)) return;
  const mask = await maskOf(name, photo).catch(() => null); // `look` says why there is none
  if (!mask || photo !== current) return;
  const made = cards.get(name);
  const canvas = find("canvas", made);
  Object.assign(canvas, { width: photo.pixels.width, height: photo.pixels.height });
  canvas.className = view === "cutout" ? "clear" : "";
  canvas.getContext("2d").putImageData(picture(view, photo.pixels, mask), 0, 0);
  const share = ((100 * mask.reduce((sum, pixel) => sum + pixel, 0)) / mask.length).toFixed(1);
  canvas.setAttribute("aria-label", `${view} of ${photo.name} by ${name}: ${share} % is person`);
  find("input", made).value = thresholds.get(name);
  find("output", made).textContent = thresholds.get(name).toFixed(2);
}

const due = new Set();
/** Draws before the screen is next painted, once, however often a slider that is dragged asks for it. */
function redraw(name) {
  if (due.has(name)) return;
  due.add(name);
  requestAnimationFrame(() => {
    due.delete(name);
    draw(name);
  });
}

/** Saves the cut-out at the photo's own size. */
async function download(name) {
  const photo = current;
  const { pixels } = photo;
  const small = Object.assign(document.createElement("canvas"), { width: pixels.width, height: pixels.height });
  small.getContext("2d").putImageData(picture("cutout", pixels, await maskOf(name, photo)), 0, 0);
  const bitmap = await createImageBitmap(photo.blob, { imageOrientation: "from-image" });
  const canvas = drawn(bitmap, photo.width, photo.height);
  bitmap.close();
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.globalCompositeOperation = "destination-in"; // what is drawn now says how much of the photo is kept
  context.drawImage(small, 0, 0, photo.width, photo.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) return complain(`${photo.name} is too large for this browser to save; make it smaller first.`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${photo.name.replace(/\.[^.]*$/, "")}-cutout.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// What people do

function listen() {
  const drop = find("#drop");
  find("#files").onchange = ({ target }) => add([...target.files]).then(() => (target.value = ""));
  document.ondragover = (event) => {
    event.preventDefault();
    drop.classList.add("over");
  };
  document.ondragleave = (event) => event.relatedTarget || drop.classList.remove("over");
  document.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    add([...event.dataTransfer.files]);
  };
  document.onpaste = ({ clipboardData }) => add([...clipboardData.files]);
  find("#views").onclick = ({ target }) => {
    if (!target.value) return;
    view = target.value;
    for (const button of find("#views").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", button === target);
    }
    for (const name of chosen) draw(name);
  };
  find("#camera").onclick = openCamera;
  find("#draw").onclick = drawPerson;
  find("#snap").onclick = snap;
  find("#stop").onclick = closeCamera;
}

/** For whoever has no photo at hand: one of the people that the pipeline draws. */
async function drawPerson() {
  find("#draw").disabled = true;
  const index = Math.floor(Math.random() * 100000);
  try {
    const answer = await get(`drawn/${index}.png`);
    await add([new File([await answer.blob()], `drawn-${index}.png`)]);
  } catch (error) {
    complain(error.message);
  }
  find("#draw").disabled = false;
}

async function openCamera() {
  complain();
  try {
    const video = find("#live video");
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
    await video.play();
    find("#live").hidden = false;
  } catch {
    complain(CAMERA_REFUSED);
  }
}

async function snap() {
  const video = find("#live video");
  const canvas = drawn(video, video.videoWidth, video.videoHeight);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  closeCamera();
  add([new File([blob], `camera-${photos.length + 1}.png`)]);
}

function closeCamera() {
  const video = find("#live video");
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  find("#live").hidden = true;
}

async function begin() {
  try {
    settings = await (await get("settings.json")).json();
  } catch (error) {
    return complain(error.message);
  }
  if (!settings.models.length) {
    return complain("There is no model yet: type make repro, or dvc pull train, then reload this page.");
  }
  settings.models.forEach(addModel);
  find("#choice").open = !matchMedia("(max-width: 40rem)").matches; // a phone's first screen is for the result
  toggle(settings.models[0].name);
  listen();
}

begin();
