/** @file The errors a user can meet. Each says where, what was expected, what came, and the remedy. */

/** Base of every error that is the input's fault, not a bug: the CLI prints it as one line. */
export class OsediffError extends Error {
  override readonly name: string = 'OsediffError';
}

/** A tensor or picture has the wrong rank, size or type. */
export class ShapeError extends OsediffError {
  override readonly name = 'ShapeError';
}

/** A file does not follow its own format, or is one that is not read here. */
export class FormatError extends OsediffError {
  override readonly name = 'FormatError';
}

/** Weights do not fit the network that is to be built from them. */
export class WeightError extends OsediffError {
  override readonly name = 'WeightError';
}

/** A config asks for something this program does not have. */
export class ConfigError extends OsediffError {
  override readonly name = 'ConfigError';
}

/** A device or execution provider cannot be used. */
export class DeviceError extends OsediffError {
  override readonly name = 'DeviceError';
}

/** A path is missing, in the way, or may not be written. */
export class PathError extends OsediffError {
  override readonly name = 'PathError';
}

/** The call itself is wrong: an option out of range or at odds with another. */
export class UsageError extends OsediffError {
  override readonly name = 'UsageError';
}
