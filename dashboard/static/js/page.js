// What every page does: run its clocks, hear of alarms, show notices and dialogs.
import { startClocks } from "./clock.js";
import { startDialogs } from "./dialog.js";
import { adopt, startLive } from "./live.js";
import { startNotices } from "./notices.js";
import { startSound } from "./sound.js";
import { adoptSteady, startSteady } from "./steady.js";
import { startTables } from "./table.js";

adopt();
adoptSteady();
startClocks();
startNotices();
startSteady();
startDialogs();
startTables();
if (document.body.dataset.signedIn === "yes") {
  startSound();
  if (document.body.dataset.live !== "no") startLive();
}
