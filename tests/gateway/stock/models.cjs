// Writes one line of JSON for each model of the published Zigbee converters: vendor, model, description, exposes.
const fs = require("fs");
const path = require("path");
const process = require("process");

const root = path.dirname(require.resolve("zigbee-herdsman-converters/package.json"));
const { prepareDefinition } = require("zigbee-herdsman-converters");
const folder = path.join(root, "dist/devices");

for (const file of fs.readdirSync(folder).filter((name) => name.endsWith(".js")).sort()) {
    for (const written of require(path.join(folder, file)).definitions ?? []) {
        const { vendor, model, description, exposes: given } = prepareDefinition(written);
        // Of some models the list depends on the device; the hub itself asks with a dummy to make its lists.
        const exposes = typeof given === "function" ? given({ isDummyDevice: true }, {}) : given;
        process.stdout.write(`${JSON.stringify({ vendor, model, description, exposes })}\n`);
    }
}
