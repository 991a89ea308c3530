'use strict';

// Makes a fresh clone usable. Every npm script of this project runs this file first.
//
// It is plain CommonJS on purpose: it is the only file here that must run under whatever Node the machine
// happens to have, before anything is installed. It does three things and says so as it goes:
//
//   1. installs what package-lock.json names, if node_modules does not hold exactly that;
//   2. sees to it that the scripts that follow run on Node 24, which comes from the npm registry as a
//      dependency of development (tools/node24) where there is a package for the platform;
//   3. stops with a sentence that helps when there is no such Node to be had.
//
// npm puts node_modules/.bin in front of PATH, so the command after this one finds the Node installed here.

const { spawnSync } = require('node:child_process');
const { existsSync, lstatSync, readFileSync, unlinkSync } = require('node:fs');
const path = require('node:path');

const NODE_MAJOR = 24;
const root = path.resolve(__dirname, '..');
const windows = process.platform === 'win32';
const localNode = path.join(root, 'node_modules', '.bin', windows ? 'node.cmd' : 'node');

main();

function main() {
  const missing = firstMissing();
  if (missing) {
    install(missing);
  }
  const version = findNode();
  if (missing) {
    say(`Ready. What follows runs on Node ${version}; first TypeScript compiles src/ to dist/.`);
  }
}

/** Names one thing that package-lock.json asks for and node_modules lacks, or returns undefined. */
function firstMissing() {
  const hidden = readLock(path.join('node_modules', '.package-lock.json'));
  if (!hidden) {
    return 'node_modules';
  }
  const wanted = readLock('package-lock.json');
  if (!wanted) {
    fail('package-lock.json is missing or cannot be read: this is not a whole checkout.');
  }
  return Object.keys(wanted).find(
    (place) => place !== '' && !isInstalled(place, wanted[place], hidden[place]),
  );
}

/**
 * Whether one package of the lock file is in place. npm leaves a lock file of its own in node_modules, which
 * says what it installed; a package that is only for other platforms is absent from it and not missed.
 */
function isInstalled(place, wanted, installed) {
  if (!installed) {
    return wanted.optional === true;
  }
  const same = installed.version === wanted.version && installed.integrity === wanted.integrity;
  return same && existsSync(path.join(root, place));
}

function readLock(name) {
  try {
    return JSON.parse(readFileSync(path.join(root, name), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** Runs `npm ci`: exactly what the lock file says, and no install script of anybody. */
function install(missing) {
  say(`Installing what package-lock.json names (${missing} is missing or not the version it asks for).`);
  say('This runs "npm ci --ignore-scripts" and takes about ten seconds.');
  const flags = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
  // Only errors are shown: npm would warn that this Node is too old for packages that Node 24 will run.
  const args = [...flags, '--loglevel=error'];
  const npm = process.env.npm_execpath || '';
  const options = { cwd: root, stdio: 'inherit' };
  // npm tells its scripts where it is itself; elsewhere (node tools/bootstrap.cjs) it is looked for in PATH.
  // The Node under npm is taken rather than our own, which may live in the folder that npm is about to clear.
  const result = /npm-cli\.c?js$/.test(npm)
    ? spawnSync(process.env.npm_node_execpath || process.execPath, [npm, ...args], options)
    : spawnSync('npm', args, { ...options, shell: windows });
  if (result.error) {
    fail(`npm could not be started (${result.error.message}). Install npm and try again.`);
  }
  if (result.status !== 0) {
    fail(
      `"npm ci" failed (exit status ${result.status}); its message is above. Is the npm registry reachable?`,
    );
  }
}

/** The version of the Node that the next command will find, once it is known to be new enough. */
function findNode() {
  if (isLinked(localNode)) {
    const version = versionOf(localNode);
    if (isEnough(version)) {
      return version;
    }
    // Built against another C library, for example. Left in place it would hide a good Node from every script.
    say(`The Node from npm does not run on this machine (${platform()}); removing node_modules/.bin/node.`);
    unlinkSync(localNode);
  }
  const version = versionOf('node');
  if (isEnough(version)) {
    return version;
  }
  fail(
    `This project needs Node ${NODE_MAJOR} or newer; this machine has ${version || 'none'} in PATH, and none ` +
      `of the npm packages named in tools/node24 runs on ${platform()}.\n` +
      `Install Node ${NODE_MAJOR} from your system's packages or from nodejs.org, put it in PATH, and run the command again.`,
  );
}

function isLinked(file) {
  try {
    lstatSync(file);
    return true;
  } catch {
    return false;
  }
}

function versionOf(command) {
  const result = spawnSync(command, ['--version'], { encoding: 'utf8', shell: windows });
  return result.status === 0 ? result.stdout.trim().replace(/^v/, '') : undefined;
}

function isEnough(version) {
  return version !== undefined && Number(version.split('.')[0]) >= NODE_MAJOR;
}

function platform() {
  return `${process.platform} ${process.arch}`;
}

function say(text) {
  console.error(text);
}

function fail(text) {
  say(`\n${text}`);
  process.exit(1);
}
