/**
 * @file What onnxruntime's texts about CUDA and WebGPU mean, with the remedy (each text was provoked:
 * docs/devices.md lists them).
 */

interface Meaning {
  readonly text: RegExp;
  readonly says: string;
}

const meanings: readonly Meaning[] = [
  {
    text: /CUDA failure 35|driver version is insufficient/,
    says: 'the NVIDIA driver is too old for CUDA 13: update it to 580 or later',
  },
  {
    text: /CUDA failure 100|no CUDA-capable device/,
    says: 'no NVIDIA card is visible: check "nvidia-smi" and CUDA_VISIBLE_DEVICES',
  },
  {
    text: /CUDA failure 101|invalid device ordinal/,
    says: 'there is no NVIDIA card of that number: count them with "nvidia-smi -L"',
  },
  {
    text: /cuDNN is unavailable|libcudnn/,
    says: 'cuDNN is missing: run "osediff gpu install"',
  },
  {
    text: /no kernel image is available|CUDA failure 209/,
    says: 'the card’s compute capability has no code in the CUDA provider (it has 7.5, 8.x, 9.0 and 12.0): use --device webgpu or cpu',
  },
  {
    text: /CUDA failure 2\b|out of memory|Failed to allocate memory/,
    says: 'the card has too little free memory: use a smaller --tile, or --precision fp16',
  },
  {
    text: /Failed to load shared library/,
    says: 'a CUDA library cannot be loaded: run "osediff gpu install"',
  },
  {
    text: /No supported adapters|Failed to get a WebGPU adapter/,
    says: 'Vulkan offers no graphics card that WebGPU can use: update its driver (Mesa 25 or later)',
  },
];

/** A provider's error in one sentence without its full stop; the error's first line where it is not known. */
export function explainProviderError(error: string): string {
  const known = meanings.find(({ text }) => text.test(error));
  return known?.says ?? error.split('\n')[0]!.trim();
}
