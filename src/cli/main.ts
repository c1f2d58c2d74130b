#!/usr/bin/env node
/** @file The program `osediff`. */
import { runProcess } from './process.ts';

await runProcess();
