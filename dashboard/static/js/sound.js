// Sound and a flashing title for alarms of high and medium priority that nobody has answered.
//
// The patterns are the bursts of IEC 60601-1-8. High: five pulses, a pause, the same five again. Medium: three
// slower pulses, lower and less often. Where both wait, only the high one sounds.
// Browsers play nothing before a person has touched the page; until then a banner says so.
const KEY = "anshou-sound";
const HALF_S = [0, 0.25, 0.5, 0.9, 1.15];
const SECOND_HALF_S = 1.9;
const PATTERNS = {
  high: {
    starts: [...HALF_S, ...HALF_S.map((start) => start + SECOND_HALF_S)],
    pulse: 0.15, everyMs: 6_000, hz: 523.25, flashMs: 700, sign: "🔴",
  },
  medium: { starts: [0, 0.4, 0.8], pulse: 0.2, everyMs: 15_000, hz: 392, flashMs: 1_400, sign: "🟡" },
};
const HARMONICS = [1, 0.6, 0.45, 0.3, 0.2];
const VOLUME = 0.35;

const usualTitle = document.title;
let context = null;
let waiting = 0;
let waitingTitle = "";
let pattern = null;
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

export function setUrgent(high, medium, title) {
  let wanted = null;
  if (high) wanted = PATTERNS.high;
  else if (medium) wanted = PATTERNS.medium;
  if (wanted !== pattern) {
    stopBursts();
    stopFlashing();
    pattern = wanted;
  }
  waiting = high || medium;
  waitingTitle = title || "";
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
  if (pattern && on) startBursts();
  else stopBursts();
  if (pattern) startFlashing();
  else stopFlashing();
}

function startBursts() {
  if (burstTimer !== null) return;
  burst();
  burstTimer = setInterval(burst, pattern.everyMs);
}

function stopBursts() {
  clearInterval(burstTimer);
  burstTimer = null;
}

function burst() {
  for (const start of pattern.starts) pulse(context.currentTime + start + 0.05);
  document.dispatchEvent(new Event("alarm-sounded"));
}

function pulse(at) {
  const until = at + pattern.pulse;
  const gain = context.createGain();
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(VOLUME, at + pattern.pulse * 0.15);
  gain.gain.setValueAtTime(VOLUME, at + pattern.pulse * 0.8);
  gain.gain.linearRampToValueAtTime(0, until);
  gain.connect(context.destination);
  const total = HARMONICS.reduce((sum, part) => sum + part, 0);
  HARMONICS.forEach((part, index) => {
    const tone = context.createOscillator();
    const share = context.createGain();
    tone.frequency.value = pattern.hz * (index + 1);
    share.gain.value = part / total;
    tone.connect(share).connect(gain);
    tone.start(at);
    tone.stop(until);
  });
}

function startFlashing() {
  if (flashTimer !== null) return;
  let lit = false;
  flashTimer = setInterval(() => {
    lit = !lit;
    document.title = lit ? `${pattern.sign} (${waiting}) ${waitingTitle || usualTitle}` : usualTitle;
  }, pattern.flashMs);
}

function stopFlashing() {
  clearInterval(flashTimer);
  flashTimer = null;
  document.title = usualTitle;
}
