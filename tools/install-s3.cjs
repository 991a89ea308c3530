// Installs a real S3 server for the tests, Ceph's gateway from Debian, where this is Debian and we are root. CommonJS, for whatever
// Node is there before the bootstrap. With --quiet it is done as well as can be, and says nothing.

const { spawnSync } = require('node:child_process');
const { existsSync } = require('node:fs');

const programs = ['ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin'];
const packages = ['radosgw', 'ceph-mon', 'ceph-osd', 'ceph-common'];
const TIMEOUT_MS = 180_000;
const quiet = process.argv.includes('--quiet');

const isThere = () => programs.every((name) => existsSync(`/usr/bin/${name}`));

function apt(...words) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return (
    spawnSync('apt-get', words, { env, stdio: quiet ? 'ignore' : 'inherit', timeout: TIMEOUT_MS }).status ===
    0
  );
}

if (process.env.INDELIBLE_TEST_S3 === undefined && !isThere()) {
  const isRoot = process.getuid !== undefined && process.getuid() === 0;
  if (isRoot && existsSync('/usr/bin/apt-get')) {
    const install = () => apt('install', '-y', '--no-install-recommends', ...packages);
    if (!install() && apt('update')) install();
  }
  if (!isThere() && !quiet) {
    console.error(
      `A real S3 server is needed: apt-get install ${packages.join(' ')} (as root), or INDELIBLE_TEST_S3=http://host:port`,
    );
    console.error('with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of somebody who may make buckets there.');
    process.exitCode = 1;
  }
}
