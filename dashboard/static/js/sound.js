// Sound and a flashing title for urgent alarms that nobody has answered.
//
// The pattern is the high-priority burst of IEC 60601-1-8: five pulses, a pause, the same five again.
// Browsers play nothing before a person has touched the page; until then a banner says so.
const KEY = "anshou-sound";
const PULSE_S = 0.15;
const STARTS_S = [0, 0.25, 0.5, 0.9, 1.15];
const SECOND_HALF_S = 1.9;
const BURST_EVERY_MS = 6_000;
const FLASH_MS = 700;
const FUNDAMENTAL_HZ = 523.25;
const HARMONICS = [1, 0.6, 0.45, 0.3, 0.2];
const VOLUME = 0.35;

const usualTitle = document.title;
let context = null;
let urgent = 0;
let urgentTitle = "";
let burstTimer = null;
let flashTimer = null;

const isWanted = () => localStorage.getItem(KEY) !== "off";
const isRunning = () => context?.state === "running";

export function startSound() {
  document.getElementById("sound").addEventListener("click", () => {
    if (isWanted() && isRunning()) localStorage.setItem(KEY, "off");
    else turnOn();
    update();
  });
  document.getElementById("sound-on").addEventListener("click", turnOn);
  // Any touch is the gesture that browsers ask for.
  document.addEventListener("pointerdown", () => isWanted() && !isRunning() && wake(), true);
  document.addEventListener("keydown", () => isWanted() && !isRunning() && wake(), true);
  if (isWanted()) wake();
  update();
}

export function setUrgent(count, title) {
  urgent = count;
  urgentTitle = title || "";
  update();
}

function turnOn() {
  localStorage.setItem(KEY, "on");
  wake();
}

function wake() {
  try {
    context ??= new AudioContext();
    context.onstatechange = update;
    context.resume().then(update, update);
  } catch {
    context = null;  // no audio device: the banner stays
  }
}

function update() {
  const on = isWanted() && isRunning();
  document.getElementById("sound").setAttribute("aria-pressed", String(on));
  document.getElementById("sound-off").hidden = on || document.body.dataset.live !== "desk";
  if (urgent && on) startBursts();
  else stopBursts();
  if (urgent) startFlashing();
  else stopFlashing();
}

function startBursts() {
  if (burstTimer !== null) return;
  burst();
  burstTimer = setInterval(burst, BURST_EVERY_MS);
}

function stopBursts() {
  clearInterval(burstTimer);
  burstTimer = null;
}

function burst() {
  for (const half of [0, SECOND_HALF_S]) {
    for (const start of STARTS_S) pulse(context.currentTime + half + start + 0.05);
  }
  document.dispatchEvent(new Event("alarm-sounded"));
}

function pulse(at) {
  const gain = context.createGain();
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(VOLUME, at + PULSE_S * 0.15);
  gain.gain.setValueAtTime(VOLUME, at + PULSE_S * 0.8);
  gain.gain.linearRampToValueAtTime(0, at + PULSE_S);
  gain.connect(context.destination);
  const total = HARMONICS.reduce((sum, part) => sum + part, 0);
  HARMONICS.forEach((part, index) => {
    const tone = context.createOscillator();
    const share = context.createGain();
    tone.frequency.value = FUNDAMENTAL_HZ * (index + 1);
    share.gain.value = part / total;
    tone.connect(share).connect(gain);
    tone.start(at);
    tone.stop(at + PULSE_S);
  });
}

function startFlashing() {
  if (flashTimer !== null) return;
  let lit = false;
  flashTimer = setInterval(() => {
    lit = !lit;
    document.title = lit ? `🔴 (${urgent}) ${urgentTitle || usualTitle}` : usualTitle;
  }, FLASH_MS);
}

function stopFlashing() {
  clearInterval(flashTimer);
  flashTimer = null;
  document.title = usualTitle;
}
