// An RP2040 that runs what is in its flash, by npm's rp2040js:
//
//     node rp2040.mjs MODULES BOOTROM FLASH
//
// MODULES is the folder with node_modules; BOOTROM and FLASH are files with what is there. Standard input and output are
// its UART0, octet by octet; what it prints on its USB is on standard error.
//
// rp2040js does not write to flash: the boot ROM's two functions that do are done here instead, for the addresses that
// the ROM's own table says (RP2040 datasheet, 2.8.3).

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";

const [modules, bootromFile, flashFile] = process.argv.slice(2);
const { RP2040, USBCDC, ConsoleLogger, LogLevel } = createRequire(`${modules}/`)("rp2040js");

const FLASH = 0x10000000;
const FUNCTION_TABLE = 0x14;
const CYCLE = 8; // ns, at 125 MHz
const AT_ONCE = 200_000; // instructions between two looks at what comes in
const OCTET = 86_800; // ns on the line, at 115,200 bit/s
const IDLE = 1_000_000; // ns, when nothing is due

const bootrom = readFileSync(bootromFile);
const name = (text) => text.charCodeAt(0) | (text.charCodeAt(1) << 8);

function inRom(wanted) {
  for (let at = bootrom.readUInt16LE(FUNCTION_TABLE); bootrom.readUInt16LE(at); at += 4) {
    if (bootrom.readUInt16LE(at) === name(wanted)) return bootrom.readUInt16LE(at + 2) & ~1;
  }
  throw new Error(`the boot ROM has no function ${wanted}`);
}

const erase = inRom("RE");
const program = inRom("RP");
const came = [];
let going = [];
let mcu;

function start(flash) {
  mcu = new RP2040();
  mcu.logger = new ConsoleLogger(LogLevel.Error, false);
  mcu.loadBootrom(new Uint32Array(bootrom.buffer.slice(bootrom.byteOffset, bootrom.byteOffset + bootrom.length)));
  mcu.flash.set(flash);
  const here = mcu;
  const feed = mcu.clock.createAlarm(() => {
    if (came.length && !here.uart[0].rxFIFO.full) here.uart[0].feedByte(came.shift());
    feed.schedule(OCTET);
  });
  feed.schedule(OCTET);
  mcu.uart[0].onByte = (octet) => going.push(octet);
  const usb = new USBCDC(mcu.usbCtrl);
  usb.onSerialData = (octets) => process.stderr.write(octets);
  // machine.reset(): what is in flash stays.
  let reset = false;
  here.peripherals[0x40058].onWatchdogTrigger = () => {
    if (!reset) setTimeout(() => start(here.flash));
    reset = true;
  };
  mcu.core.PC = FLASH;
}

function writeFlash({ core, flash }, erases) {
  const [at, second, octets] = core.registers;
  if (erases) flash.fill(0xff, at, at + second);
  else for (let n = 0; n < octets; n++) flash[at + n] &= mcu.readUint8(second + n);
  core.PC = core.LR & ~1;
}

// Its time is never faster than ours; where this machine is slower, it loses time and does not catch up.
let begun = performance.now();
let of = null;

function run() {
  const { core, clock } = mcu;
  if (of !== mcu) {
    of = mcu;
    begun = performance.now();
  }
  let ahead = 0;
  for (let n = 0; n < AT_ONCE && ahead <= 0; n++) {
    if (core.PC === erase || core.PC === program) writeFlash(mcu, core.PC === erase);
    if (core.waiting) {
      clock.tick(clock.nanosToNextAlarm || IDLE);
      ahead = clock.nanos / 1e6 - (performance.now() - begun);
    } else {
      clock.tick(core.executeInstruction() * CYCLE);
    }
  }
  ahead = clock.nanos / 1e6 - (performance.now() - begun);
  if (ahead < 0) begun -= ahead;
  if (going.length) {
    process.stdout.write(Uint8Array.from(going));
    going = [];
  }
  if (ahead > 1) setTimeout(run, ahead);
  else setImmediate(run);
}

process.stdin.on("data", (octets) => came.push(...octets));
process.stdin.on("end", () => process.exit(0));
start(readFileSync(flashFile));
run();
