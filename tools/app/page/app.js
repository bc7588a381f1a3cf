// The page: a photo goes to the program on this machine, and the picture that comes back is shown.

const find = (selector) => document.querySelector(selector);
const [controls, image, video] = ["#controls", "#result img", "#live video"].map(find);
let photo; // the file that is looked at, in memory
let pictures = new Map(); // of it: promises of their URLs, by model and view
let looks = 0; // how often `show` was called: only the last one counts

function complain(line) {
  find("#error").textContent = line;
  find("#error").hidden = !line;
}

async function ask(path, options) {
  const answer = await fetch(path, options).catch(() => {
    throw new Error("The program that serves this page has ended; start it again: make app.");
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

async function open(file) {
  if (!file) return;
  if (file.size > 100e6) throw new Error(`${file.name} has more than 100 MB; make it smaller.`); // MAX_MEGABYTES
  const bytes = await file.arrayBuffer().catch(() => {
    throw new Error(`${file.name} cannot be read; take a PNG, JPEG or WebP file.`);
  });
  photo = new File([bytes], file.name);
  for (const picture of pictures.values()) picture.then(URL.revokeObjectURL, () => {});
  pictures = new Map();
  controls.hidden = false;
  document.body.className = "shown";
  image.className = "photo";
  image.src = await picture("photo");
  show();
}

/** A URL of the current photo as `view` shows it; the chosen model makes it when it is first asked for. */
function picture(view) {
  const query = new URLSearchParams({ view, model: find("#model").value }).toString();
  const known = pictures;
  if (!known.has(query)) {
    const made = view === "photo" ? photo : ask(`picture?${query}`, { method: "POST", body: photo }).then((a) => a.blob());
    known.set(query, Promise.resolve(made).then(URL.createObjectURL));
    known.get(query).catch(() => known.delete(query));
  }
  return known.get(query);
}

async function show() {
  const look = ++looks;
  const view = controls.elements.view.value;
  let problem = "";
  complain("");
  find("#result").hidden = false;
  find("#result figcaption").textContent = "Looking ...";
  try {
    const url = await picture(view);
    if (look !== looks) return;
    Object.assign(image, { src: url, className: view, alt: `${view} of ${photo.name}` });
    await image.decode();
  } catch (error) {
    problem = `${photo.name}: ${error.message}`;
  }
  if (look !== looks) return;
  find("#result figcaption").textContent = "";
  find("#result").hidden = problem !== "";
  complain(problem);
}

async function download() {
  const link = document.createElement("a");
  link.download = `${photo.name.replace(/\.[^.]*$/, "")}-cutout.png`;
  link.href = await picture("cutout");
  link.click();
}

async function openCamera() {
  complain("");
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } }).catch(() => {
    throw new Error("The camera cannot be used: allow it for this page in the browser, or drop a photo instead.");
  });
  await video.play();
  find("#live").hidden = false;
}

function closeCamera() {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  find("#live").hidden = true;
}

function snap() {
  const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  closeCamera();
  canvas.toBlob((blob) => open(new File([blob], "camera.png")));
}

async function begin() {
  for (const [name, dice] of Object.entries(await (await ask("models.json")).json())) {
    find("#model").add(new Option(dice === null ? name : `${name}, Dice ${dice.toFixed(3)}`, name));
  }
  find("#file").onchange = ({ target }) => open(target.files[0]).then(() => (target.value = ""));
  document.ondragover = (event) => event.preventDefault() || find("#drop").classList.add("over");
  document.ondragleave = (event) => event.relatedTarget || find("#drop").classList.remove("over");
  document.ondrop = (event) => {
    event.preventDefault();
    find("#drop").classList.remove("over");
    open(event.dataTransfer.files[0]);
  };
  document.onpaste = ({ clipboardData }) => open(clipboardData.files[0]);
  find("#camera").onclick = openCamera;
  find("#snap").onclick = snap;
  find("#stop").onclick = closeCamera;
  find("#example").onclick = async () => open(new File([await (await ask("example.png")).blob()], "astronaut.png"));
  find("#download").onclick = download;
  controls.onchange = show;
}

addEventListener("unhandledrejection", (event) => complain(event.reason.message));
begin();
