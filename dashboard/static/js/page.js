// What every page does: run its clocks, hear of alarms, show notices and dialogs.
import { startAim } from "./aim.js";
import { startClocks } from "./clock.js";
import { startDialogs } from "./dialog.js";
import { adopt, startLive } from "./live.js";
import { startNotices } from "./notices.js";
import { startPresses } from "./presses.js";
import { startSound } from "./sound.js";
import { adoptSteady, startSteady } from "./steady.js";
import { startTables } from "./table.js";

adopt();
adoptSteady();
startClocks();
startAim();
startNotices();
startSteady();
startDialogs();
startPresses();
startTables();
if (document.body.dataset.signedIn === "yes") {
  startSound();
  if (document.body.dataset.live !== "no") startLive();
}
// Not only when the last script has come: a chart's library takes seconds on an old telephone.
window.htmx?.process(document.body);
document.dispatchEvent(new Event("page-listens"));
