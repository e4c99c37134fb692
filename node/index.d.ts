/** Who looks at the pictures. */
export declare const Backend: Readonly<{ SERVICE: 0; EMBEDDED: 1 }>;
/** Whose certificates count. */
export declare const Trust: Readonly<{ BUNDLED: 0; SYSTEM: 1 }>;
/** What a build of the library may have, for has(). */
export declare const Feature: Readonly<{ EMBEDDED: 1; TLS: 2; EVENT_FD: 3; MONITOR: 4 }>;
/** What to make of a printQuality, in colours or in words of the user's own language: 6 to 10, 4 and 5, 1 to 3. */
export declare const QualityLevel: Readonly<{ UNKNOWN: 0; GOOD: 1; WATCH: 2; BAD: 3 }>;
/** How much a line of the log matters, and with the setting logLevel which lines are told. */
export declare const LogLevel: Readonly<{ ERROR: 1; WARN: 2; INFO: 3; DEBUG: 4; TRACE: 5 }>;
/** What an event tells. */
export declare const EventKind: Readonly<{
  FRAME_WANTED: 1; RESULT: 2; WARNING: 3; PAUSE: 4; ERROR: 5; RECOVERED: 6; CAMERA_STALLED: 7; CAMERA_BACK: 8;
  CONTEXT_RENEWED: 9; LATCHED: 10; STOPPED: 11;
}>;

/** A call failed, or was too early (code OE_NOT_DUE), cancelled (OE_CANCELLED) or saw nothing to judge (OE_BLIND). The text holds no key. */
export declare class OeError extends Error {
  /** 0 is success, above 0 nothing is wrong, below 0 the group says who has to act. */
  readonly status: number;
  /** The status's name, "OE_ERR_..." */
  readonly code: string;
  /** Of the answer; 0 when none was read. */
  readonly httpStatus: number;
  /** Milliseconds until the next call is allowed; Infinity when somebody has to act first; null where dueInMs has it. */
  readonly retryAfterMs: number | null;
  /** The service's own word for the reason, if it is a known one. */
  readonly errorType: string;
  /** Whether a loop that takes a new picture each time should go on; not that the same one may be sent again. */
  readonly retryable: boolean;
}

/** A part of a picture, as it is shown (upright), in thousandths of its width and height, from its top left corner. */
export interface Region {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A verdict. */
export interface Result {
  /** 1 (failed) to 10 (perfect). */
  printQuality: number;
  qualityText: string;
  /** One of QualityLevel. */
  qualityLevel: number;
  /** 0 (perfect) to 100 (failed). */
  score: number | null;
  warningSuggested: boolean;
  pauseSuggested: boolean;
  fasterInspectionSuggested: boolean;
  minimumIntervalSec: number;
  recommendedIntervalSec: number;
  /** Milliseconds until the context may be called again. */
  nextDueMs: number;
  flags: number;
  /** Tell the user now. */
  warningEdge: boolean;
  /** Pause the print now. */
  pauseEdge: boolean;
  latencyMs: number;
  frameAgeMs: number;
  /** Where in this picture it looks failed, when the score is 50 or more and it is one place that is known. */
  place: Region | null;
}

/** What happened to a monitored print. */
export interface Event {
  /** One of EventKind; ignore one you do not know. */
  kind: number;
  tag: number | bigint;
  /**
   * Of ERROR, LATCHED, STOPPED. Of CAMERA_STALLED why: 3 (OE_NO_EVENT) when no picture came, 0 when it was the same one again and
   * again, 4 (OE_BLIND) when there was nothing to see, else the status with which they were refused.
   */
  status: number;
  /** Milliseconds since it was queued: do not pause on an old one. */
  ageMs: number;
  /** Of RESULT, WARNING and PAUSE. */
  result: Result | null;
  /** Of ERROR, LATCHED and STOPPED. */
  error: OeError | null;
}

/** Where a context or monitor stands. */
export interface Info {
  usingFallback: boolean;
  failuresInARow: number;
  lastQuality: number | null;
  ageSec: number;
  calls: number;
  lastStatus: number;
  dueInMs: number;
}

/** What a client has sent. */
export interface Usage {
  contexts: number;
  processed: number;
  possiblyBilled: number;
  failed: number;
  creates: number;
  bytesSent: number;
  bytesReceived: number;
  latched: number;
}

/** What is undefined, null or an empty string is not set. */
export interface Settings {
  /** A service of your own may go without. */
  apiKey?: string;
  backend?: number;
  /** A service of your own. */
  endpoint?: string;
  allowHttp?: boolean;
  /** Addresses of hosts that are not to be looked up: { 'printer.lan': '10.0.0.5, fd00::5' }. */
  resolve?: Record<string, string>;
  trust?: number;
  caFile?: string;
  proxy?: string;
  timeoutMs?: number;
  connectTimeoutMs?: number;
  intervalSec?: number;
  maxFrameAgeMs?: number;
  workers?: number;
  userAgent?: string;
  modelFile?: string;
  /** What the embedded engine may take to decode pictures, in MB. */
  pictureMemoryMb?: number;
  /**
   * Gets the library's lines, in their order, a moment after they were written. What is open when Node ends is closed then. What it
   * throws becomes a warning of the process.
   */
  log?: (level: number, text: string) => void;
  /** Up to which of LogLevel lines are told; INFO unless set. */
  logLevel?: number;
}

/** Where a picture may be; a part of a larger buffer is that part. Not copied: leave it as it is until process() has settled. */
export type Picture = ArrayBuffer | SharedArrayBuffer | ArrayBufferView;

/** 1 (soonest) to 5 (only when certain); 0 is 3. */
export interface Confidences {
  warningConfidence?: number;
  pauseConfidence?: number;
}

/** What is set for one print. */
export interface Print extends Confidences {
  /** The print's own; 0 is the client's. */
  intervalSec?: number;
  /** Parts of the picture that are never judged, 8 at most. With the embedded engine only. */
  ignore?: Iterable<Region>;
}

declare class Handle {
  /** Frees it; again does nothing. */
  close(): void;
}

/** One account and its connections. */
export declare class Client extends Handle {
  constructor(settings: Settings);
  /** A new context for one print. Its errors, and those of checkKey(), have no httpStatus and no errorType. */
  context(print?: Print & {
    /** A recording is played: capture times are the clock. With the embedded engine only. */
    replay?: boolean;
  }): Promise<Context>;
  /** The context that Context.save() wrote, after a restart. */
  restore(saved: string): Context;
  /** Watches a print, new or from Monitor.save(); its events carry the tag. */
  monitor(print?: Print & { tag?: number; saved?: string }): Monitor;
  /** The oldest unread event, or null; never waits. */
  nextEvent(): Event | null;
  /** Events, until the client is closed or cancelled. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Event>;
  readonly createDueInMs: number;
  /** Asks the service about the key, free of charge; rejects with what is wrong with it. */
  checkKey(): Promise<void>;
  /** Tries again after the account was mended. */
  clearLatch(): void;
  /** Ends calls in flight, and every loop over its events. */
  cancel(): void;
  readonly usage: Usage;
}

/** One print, of which you make the calls. */
export declare class Context extends Handle {
  private constructor();
  /**
   * Sends one picture. Rejects with OE_NOT_DUE before its time; nothing is sent then. capturedAt: a Date or milliseconds since
   * 1970.
   */
  process(jpeg: Picture, capturedAt?: Date | number): Promise<Result>;
  /** Milliseconds until the next call is allowed; Infinity when somebody has to act first. */
  readonly dueInMs: number;
  /** Until a call is allowed. Rejects with OE_CANCELLED when cancel() ended it. */
  waitDue(): Promise<void>;
  /** Ends the call or wait in flight. */
  cancel(): void;
  /** A new context in place of a lost one. */
  renew(): Promise<void>;
  /** The delay between calls, where the service allows it; 0 is the service's own. */
  setInterval(seconds: number): void;
  /** How certain it must be from now on; the service hears of it with the next renew(). */
  setConfidence(warning: number, pause: number): void;
  /** For Client.restore(). Keep it as private as the key. */
  save(): string;
  readonly info: Info;
}

/** One print that the library watches by itself. */
export declare class Monitor extends Handle {
  private constructor();
  /** Hands over a picture, which is copied. */
  submit(jpeg: Picture, capturedAt?: Date | number): void;
  stop(): void;
  pause(): void;
  resume(): void;
  /** Verdicts go on, warnings and pauses are not told. */
  mute(muted?: boolean): void;
  setInterval(seconds: number): void;
  /** How certain it must be from now on; for the service the context is made anew when its pace allows that. */
  setConfidence(warning: number, pause: number): void;
  /** For Client.monitor({ saved }). Keep it as private as the key. */
  save(): string;
  readonly info: Info;
}

/** The library's, "0.2.0". */
export declare function version(): string;
/** Whether the library has one of Feature. */
export declare function has(feature: number): boolean;
/** What the library was built for and from. */
export declare function buildInfo(): string;
