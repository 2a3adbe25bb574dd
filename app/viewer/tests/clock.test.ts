import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock } from "../src/clock";
import { near } from "./factory";

function clock(): Clock {
  const made = new Clock();
  made.fit(2, 20);
  made.playing = true;
  return made;
}

test("time moves by wall time times speed", () => {
  const it = clock();
  it.speed = 0.5;
  it.advance(1);
  assert.ok(near(it.time, 0.5));
  assert.equal(it.frame, 10);
});

test("looping shows the last frame as long as the others", () => {
  const it = clock();
  it.advance(2.02);
  assert.equal(it.frame, 40);
  it.advance(0.04);
  assert.equal(it.frame, 0);
  assert.equal(it.playing, true);
});

test("without loop it stops at the end, and play begins again", () => {
  const it = clock();
  it.loop = false;
  it.advance(5);
  assert.equal(it.frame, 40);
  assert.equal(it.playing, false);
  it.toggle();
  assert.equal(it.frame, 0);
});

test("a paused clock stands, also when told how long nothing happened", () => {
  const it = clock();
  it.playing = false;
  it.advance(1);
  assert.equal(it.time, 0);
});

test("stepping stops and lands on whole frames inside the motion", () => {
  const it = clock();
  it.seek(0.512);
  it.step(1);
  assert.equal(it.playing, false);
  assert.equal(it.frame, 11);
  it.step(-99);
  assert.equal(it.frame, 0);
  it.step(99);
  assert.equal(it.frame, 40);
});

test("every frame can be sought and is the frame shown", () => {
  const it = new Clock();
  it.fit(199 / 30, 30);
  for (let frame = 0; frame < 200; frame++) {
    it.seekFrame(frame);
    assert.equal(it.frame, frame);
  }
});

test("new motions keep the position as far as it fits", () => {
  const it = clock();
  it.speed = 2;
  it.seek(1.5);
  it.fit(3, 20);
  assert.ok(near(it.time, 1.5));
  it.fit(1, 20);
  assert.ok(near(it.time, 1));
  assert.equal(it.speed, 2);
  assert.equal(it.playing, true);
});

test("a motion of one frame plays without moving", () => {
  const it = new Clock();
  it.fit(0, 20);
  it.playing = true;
  it.advance(1);
  assert.equal(it.frame, 0);
});
