/** The form that sends motion files: what a person typed stays, progress is told, the answer is a line of words. */

const ROUTE = "/api/v1/datasets";
const TEXTS = [
  ["name", "Name", "Empty = as the file."],
  ["licence", "Licence", "Of the data, kept with them."],
  ["source", "Source", "Where they are from; whom to cite."],
];
const FOLDER_DEPTH = 8;
const MOST_FILES = 1000; // of one form, that the server reads

export function imports(element, props, trigger, watch) {
  const box = element.querySelector(".ls-imports");
  const state = { files: [] };
  const form = build(box, state);
  const formats = () => {
    const known = props.value?.formats ?? [];
    form.kind.replaceChildren(...known.map(([kind, title]) => new Option(title, kind)));
  };
  formats();
  watch("value", formats);
  form.send.addEventListener("click", () => send(form, state, trigger));
}

function build(box, state) {
  const drop = make("div", { className: "ls-drop", tabIndex: -1 });
  const pick = make("input", { type: "file", multiple: true, hidden: true, id: "data-files" });
  const folder = make("input", { type: "file", multiple: true, hidden: true, webkitdirectory: true });
  const chosen = make("p", { className: "ls-drop-words", textContent: "Drop a zip or motion files here." });
  const buttons = make("div", { className: "ls-row" });
  const choose = make("button", { type: "button", className: "ls-button", textContent: "Choose files" });
  const chooseFolder = make("button", { type: "button", className: "ls-button", textContent: "Choose a folder" });
  buttons.append(choose, chooseFolder, pick, folder);
  drop.append(chosen, buttons);
  const fields = make("div", { className: "ls-drop-fields" });
  const inputs = {};
  for (const [name, title, hint] of TEXTS) {
    inputs[name] = make("input", { type: "text", placeholder: hint, maxLength: name === "name" ? 80 : 500 });
    fields.append(labelled(title, inputs[name]));
  }
  const kind = make("select", {});
  const labels = make("select", {});
  for (const [value, title] of [["auto", "Found by themselves"], ["folder", "Folders"], ["file", "File names"], ["none", "One for all"]]) {
    labels.append(new Option(title, value));
  }
  const skip = make("input", { type: "checkbox" });
  fields.append(labelled("Format", kind), labelled("Classes from", labels));
  const skipLabel = make("label", { className: "ls-drop-check" });
  skipLabel.append(skip, " Leave out files that cannot be read");
  const send = make("button", { type: "button", className: "ls-button ls-primary", id: "data-send", disabled: true, textContent: "Import" });
  const status = make("span", { className: "ls-soft", id: "data-status", role: "status" });
  status.setAttribute("aria-live", "polite");
  const last = make("div", { className: "ls-row" });
  last.append(send, skipLabel, status);
  box.replaceChildren(drop, fields, last);

  const take = (files) => {
    state.files = [...files];
    const bytes = state.files.reduce((sum, file) => sum + file.size, 0);
    const first = state.files[0];
    chosen.textContent =
      state.files.length === 0 ? "Drop a zip or motion files here."
      : `${state.files.length === 1 ? first.name : `${state.files.length} files`}, ${(bytes / 1e6).toFixed(1)} MB`;
    const many = state.files.length > MOST_FILES;
    send.disabled = state.files.length === 0 || many;
    status.textContent = many ? "More than 1,000 files are sent as one zip, or imported by: loopscope data import FOLDER" : "";
    status.dataset.state = many ? "error" : "";
  };
  choose.addEventListener("click", () => pick.click());
  chooseFolder.addEventListener("click", () => folder.click());
  pick.addEventListener("change", () => take(pick.files));
  folder.addEventListener("change", () => take(folder.files));
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.dataset.over = "true";
  });
  drop.addEventListener("dragleave", () => delete drop.dataset.over);
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    delete drop.dataset.over;
    take(event.dataTransfer.files);
  });
  return { inputs, kind, labels, skip, send, status };
}

function send(form, state, trigger) {
  const body = new FormData();
  for (const file of state.files) body.append("files", file, pathOf(file));
  for (const [name, input] of Object.entries(form.inputs)) body.append(name, input.value);
  body.append("kind", form.kind.value || "auto");
  body.append("labels", form.labels.value);
  body.append("skip_bad", String(form.skip.checked));
  const tell = (words, state = "") => {
    form.status.textContent = words;
    form.status.dataset.state = state;
  };
  const began = performance.now();
  let reading = null;
  const request = new XMLHttpRequest(); // fetch does not say how much of a body is sent
  request.open("POST", ROUTE);
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) tell(`Sending: ${Math.round((100 * event.loaded) / event.total)} %`);
  });
  request.upload.addEventListener("load", () => {
    const say = () => tell(`Reading and checking every frame: ${Math.round((performance.now() - began) / 1000)} s`);
    say();
    reading = setInterval(say, 500);
  });
  const end = () => {
    clearInterval(reading);
    form.send.disabled = false;
  };
  request.addEventListener("error", () => {
    end();
    tell("The server does not answer. Nothing was imported.", "error");
  });
  request.addEventListener("load", () => {
    end();
    const answer = parsed(request.responseText);
    if (request.status === 201 && answer !== null) {
      tell(`Imported ${answer.name}.`, "done");
      trigger("click", { act: "imported", dataset: answer.id });
    } else {
      const error = answer?.error ?? {};
      tell(`${error.message ?? `Status ${request.status}.`} ${error.hint ?? ""} Nothing was imported.`, "error");
    }
  });
  form.send.disabled = true;
  tell("Sending");
  request.send(body);
}

/** A file's place below the chosen folder, without the folder's own name. */
function pathOf(file) {
  const parts = (file.webkitRelativePath || file.name).split("/");
  return (parts.length > 1 ? parts.slice(1) : parts).slice(-FOLDER_DEPTH).join("/");
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function labelled(title, input) {
  const label = make("label", {});
  label.append(make("span", { textContent: title }), input);
  return label;
}

function make(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}
