// The dialog for steps that ask for words. It stands outside the live list, so no update takes it away.
const dialog = document.getElementById("dialog");
const body = document.getElementById("dialog-body");
const notices = document.getElementById("notices");
let beganOutside = false;

export function startDialogs() {
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== body || !body.firstElementChild) return;
    if (!dialog.open) {
      dialog.showModal();
      dialog.prepend(notices);  // a modal dialog covers all that is not in it
    }
    body.querySelector("[aria-invalid=true], [autofocus]")?.focus();
  });
  dialog.addEventListener("pointerdown", (event) => {
    beganOutside = isOutside(event);
  });
  dialog.addEventListener("click", (event) => {
    // A press that only ends outside, such as while text is marked, closes nothing; nor does one that would throw
    // away what was written.
    const isLeft = beganOutside && isOutside(event) && !isWritten();
    if (isLeft || event.target.closest("[data-close]")) dialog.close();
  });
  dialog.addEventListener("close", () => {
    body.replaceChildren();
    document.querySelector("main").before(notices);
  });
  document.body.addEventListener("step-taken", (event) => {
    dialog.close();
    event.target.closest?.("[data-reset]")?.reset();
  });
  document.body.addEventListener("step-refused", (event) => {
    if (event.detail?.final) dialog.close();
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.submit();
  });
}

// Whether somebody has filled in anything.
function isWritten() {
  return [...body.querySelectorAll("input, textarea")].some((field) => (
    ["radio", "checkbox"].includes(field.type)
      ? field.checked !== field.defaultChecked
      : field.value !== field.defaultValue
  ));
}

// Whether something was pressed beside the sheet: the browser calls that the dialog itself, as it does its edge.
function isOutside({ target, clientX, clientY }) {
  const sheet = dialog.getBoundingClientRect();
  const isInside = clientX >= sheet.left && clientX <= sheet.right && clientY >= sheet.top && clientY <= sheet.bottom;
  return target === dialog && !isInside;
}
