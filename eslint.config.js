// How the scripts of the pages are checked: `make check`.
import js from "@eslint/js";
import globals from "globals";

const STRICT = {
  "array-callback-return": "error",
  "class-methods-use-this": "error",
  "complexity": ["error", 10],
  "consistent-return": "error",
  "default-param-last": "error",
  "eqeqeq": "error",
  "guard-for-in": "error",
  "max-depth": ["error", 3],
  "max-lines": ["error", 300],
  "max-lines-per-function": ["error", { max: 70, skipComments: true }],
  "max-nested-callbacks": ["error", 3],
  "max-params": ["error", 5],
  "no-alert": "error",
  "no-constructor-return": "error",
  "no-else-return": "error",
  "no-eval": "error",
  "no-implicit-globals": "error",
  "no-implied-eval": "error",
  "no-lonely-if": "error",
  "no-loop-func": "error",
  "no-multi-assign": "error",
  "no-nested-ternary": "error",
  "no-new-func": "error",
  "no-param-reassign": "error",
  "no-promise-executor-return": "error",
  "no-return-assign": "error",
  "no-script-url": "error",
  "no-self-compare": "error",
  "no-sequences": "error",
  "no-shadow": "error",
  "no-template-curly-in-string": "error",
  "no-throw-literal": "error",
  "no-unmodified-loop-condition": "error",
  "no-unneeded-ternary": "error",
  "no-unreachable-loop": "error",
  "no-unused-expressions": "error",
  "no-unused-vars": "error",
  "no-use-before-define": ["error", { functions: false, classes: false }],
  "no-useless-concat": "error",
  "no-useless-return": "error",
  "no-var": "error",
  "object-shorthand": "error",
  "prefer-arrow-callback": "error",
  "prefer-const": "error",
  "prefer-object-spread": "error",
  "prefer-rest-params": "error",
  "prefer-template": "error",
  "radix": "error",
  "require-atomic-updates": "error",
  "require-await": "error",
  "yoda": "error",
};

// These run before anything is drawn, so they are no modules.
const EARLY = ["dashboard/static/js/early.js", "dashboard/static/js/theme.js"];

export default [
  { ignores: ["**/vendor/", ".venv/", "build/", "dist/", "mutants/"] },
  { linterOptions: { reportUnusedDisableDirectives: "error", reportUnusedInlineConfigs: "error" } },
  { rules: { ...js.configs.recommended.rules, ...STRICT } },
  { files: ["dashboard/static/js/*.js"], languageOptions: { globals: globals.browser } },
  { files: EARLY, languageOptions: { sourceType: "script" } },
  {
    files: ["tests/dashboard/js/*.js"],
    languageOptions: { globals: { ...globals.nodeBuiltin, ...globals.browser } },
    // What stands for a browser's parts has their shape, whether it needs it or not.
    rules: { "class-methods-use-this": "off", "require-await": "off", "max-lines-per-function": "off" },
  },
];
