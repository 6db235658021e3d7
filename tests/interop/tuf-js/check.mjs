// Reads a published repository with tuf-js, as its own users would: refresh, look a target up, download and verify it.
// Usage: node check.mjs STATE_DIR BASE_URL TARGET OUT_FILE     (STATE_DIR holds the trusted root.json)
import { Updater } from 'tuf-js';

const [stateDir, baseUrl, target, out] = process.argv.slice(2);
try {
  const updater = new Updater({
    metadataDir: stateDir,
    metadataBaseUrl: `${baseUrl}/metadata`,
    targetDir: stateDir,
    targetBaseUrl: `${baseUrl}/targets`,
  });
  await updater.refresh();
  const info = await updater.getTargetInfo(target);
  if (info === undefined) throw new Error(`no trusted role lists ${target}`);
  await updater.downloadTarget(info, out);
  console.log(`verified ${info.path}: ${info.length} bytes`);
} catch (e) {
  console.error(`${e.name}: ${e.message}`);
  process.exit(1);
}
