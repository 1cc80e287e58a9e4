// The dialog for steps that ask for words. It stands outside the live list, so no update takes it away.
const dialog = document.getElementById("dialog");
const body = document.getElementById("dialog-body");
const notices = document.getElementById("notices");

export function startDialogs() {
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== body || !body.firstElementChild) return;
    if (!dialog.open) {
      dialog.showModal();
      dialog.append(notices);  // a modal dialog covers all that is not in it
    }
    body.querySelector("[aria-invalid=true], [autofocus]")?.focus();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
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
