/** @file The name that stands for standard input and output. */

/** As an input the process's standard input, as an output its standard output. */
export const standardStream = '-';
