"""Runs inside GIMP's batch interpreter: upscales images made here and prints how each came out.

Environment: CASES names one of ALONE or is "all"; MODEL "identity" repeats pixels, so that every sample of the
result is known. Prints `CASE name ok` or `CASE name: what is wrong`.
"""
import array
import os
import random
import time

import gi

gi.require_version('Gimp', '3.0')
gi.require_version('Gegl', '0.4')
gi.require_version('Babl', '0.1')
from gi.repository import Babl, Gegl, Gimp  # noqa: E402

Gegl.init(None)
W, H, BLOCK = 64, 48, 8
P = Gimp.Precision
RGB, GRAY = Gimp.ImageBaseType.RGB, Gimp.ImageBaseType.GRAY


def make(base, precision, alpha, low=0.0, high=1.0, profile=None, seed=1):
    """An image with a layer of random samples; of blocks where they are floats."""
    image = Gimp.Image.new_with_precision(W, H, base, precision)
    if profile:
        image.set_color_profile(profile)
    kind = Gimp.ImageType((2 if base == GRAY else 0) + int(alpha))
    layer = Gimp.Layer.new(image, 'photo', W, H, kind, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, None, 0)
    fill(layer, low, high, seed)
    return image, layer


def fill(layer, low=0.0, high=1.0, seed=1):
    form = layer.get_format()
    sample = Babl.format_get_encoding(form).split(' ')[1]
    channels = layer.get_bpp() // {'u8': 1, 'u16': 2, 'u32': 4, 'half': 2, 'float': 4, 'double': 8}[sample]
    draw = random.Random(seed)
    count = layer.get_width() * layer.get_height() * channels
    if sample in ('u8', 'u16', 'u32'):
        code, top = {'u8': ('B', 255), 'u16': ('H', 65535), 'u32': ('I', 4294967295)}[sample]
        data = array.array(code, (draw.randint(0, top) for _ in range(count))).tobytes()
    else:
        width = layer.get_width()
        blocks = {}

        def value(i):
            x, y = i // channels % width, i // channels // width
            key = (x // BLOCK, y // BLOCK, i % channels)
            if key not in blocks:
                blocks[key] = draw.uniform(low, high)
            return blocks[key]
        floats = [value(i) for i in range(count)]
        if sample == 'half':
            import struct
            data = struct.pack('<%de' % count, *floats)
        else:
            data = array.array('f' if sample == 'float' else 'd', floats).tobytes()
    put(layer, data)


def put(item, data):
    buffer = item.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, item.get_width(), item.get_height()),
               Babl.get_name(item.get_format()), data)
    buffer.flush()


def get(item, rect=None):
    x, y, w, h = rect or (0, 0, item.get_width(), item.get_height())
    return bytes(item.get_buffer().get(Gegl.Rectangle.new(x, y, w, h), 1.0, None, Gegl.AbyssPolicy.NONE))


def repeated(data, width, bpp, scale):
    """Every pixel scale x scale times."""
    out = []
    for start in range(0, len(data), width * bpp):
        row = b''.join(data[i:i + bpp] * scale for i in range(start, start + width * bpp, bpp))
        out.append(row * scale)
    return b''.join(out)


def upscale(image, drawable, output, **settings):
    procedure = Gimp.get_pdb().lookup_procedure('osediff-upscale')
    config = procedure.create_config()
    config.set_property('run-mode', Gimp.RunMode.NONINTERACTIVE)
    config.set_property('image', image)
    config.set_core_object_array('drawables', [drawable])
    for name, value in dict({'model': os.environ['MODEL'], 'scale': 2.0, 'output': output}, **settings).items():
        config.set_property(name.replace('_', '-'), value)
    result = procedure.run(config)
    if result.index(0) != Gimp.PDBStatusType.SUCCESS:
        raise RuntimeError(Gimp.get_pdb().get_last_error())
    return result.index(1)


def same(got, wanted, what):
    if got != wanted:
        odd = sum(a != b for a, b in zip(got, wanted))
        raise AssertionError('%s: %d of %d bytes differ, got %d' % (what, odd, len(wanted), len(got)))


def equal(got, wanted, what):
    if got != wanted:
        raise AssertionError('%s: expected %r, got %r' % (what, wanted, got))


def close_at_centres(layer, data, scale, what):
    """Floats: the middle of each block, to a few units in the last place."""
    sample = Babl.format_get_encoding(layer.get_format()).split(' ')[1]
    code = {'float': 'f', 'double': 'd'}[sample]
    got, wanted = array.array(code, get(layer)), array.array(code, data)
    channels = len(wanted) // (W * H)
    for by in range(H // BLOCK):
        for bx in range(W // BLOCK):
            x, y = bx * BLOCK + BLOCK // 2, by * BLOCK + BLOCK // 2
            for c in range(channels):
                a = got[(y * scale * W * scale + x * scale) * channels + c]
                b = wanted[(y * W + x) * channels + c]
                if abs(a - b) > 5e-7 * max(1, abs(b)):
                    raise AssertionError('%s: expected %r, got %r at %d,%d,%d' % (what, b, a, x, y, c))


FORMATS = {
    'u8-rgb': (RGB, P.U8_NON_LINEAR, False),
    'u8-rgba': (RGB, P.U8_PERCEPTUAL, True),
    'u16-rgba': (RGB, P.U16_NON_LINEAR, True),
    'float-linear-rgba': (RGB, P.FLOAT_LINEAR, True, -0.5, 8.0),
    'u8-graya': (GRAY, P.U8_NON_LINEAR, True),
    # beyond the fifteen
    'u8-linear-rgb': (RGB, P.U8_LINEAR, False),
    'u16-linear-graya': (GRAY, P.U16_LINEAR, True),
    'u32-rgb': (RGB, P.U32_NON_LINEAR, False),
    'half-rgba': (RGB, P.HALF_NON_LINEAR, True),
    'half-linear-gray': (GRAY, P.HALF_LINEAR, False),
    'float-rgb': (RGB, P.FLOAT_NON_LINEAR, False),
    'double-linear-rgb': (RGB, P.DOUBLE_LINEAR, False),
}


def format_case(name, output):
    def run():
        image, layer = make(*FORMATS[name])
        data, bpp, form = get(layer), layer.get_bpp(), Babl.get_name(layer.get_format())
        before = len(image.get_layers())
        result = upscale(image, layer, output)
        if output == 'new-image':
            equal(result.get_id() == image.get_id(), False, 'another image')
            same(get(layer), data, 'the original')
        else:
            equal(result.get_id(), image.get_id(), 'image')
        equal(len(image.get_layers()), before + (output == 'new-layer'), 'layers')
        new = result.get_layers()[0]
        equal((result.get_width(), result.get_height()), (2 * W, 2 * H), 'canvas')
        equal((new.get_width(), new.get_height()), (2 * W, 2 * H), 'layer size')
        equal(Babl.get_name(new.get_format()), form, 'format')
        if name == 'u32-rgb':  # floats between: 24 bits
            got = array.array('I', get(new))
            wanted = array.array('I', repeated(data, W, bpp, 2))
            worst = max(abs(a - b) for a, b in zip(got, wanted))
            equal(worst < 1024, True, 'u32 off by %d' % worst)
        elif name.startswith(('float-linear', 'double')):
            close_at_centres(new, data, 2, 'pixels')
        else:
            same(get(new), repeated(data, W, bpp, 2), 'pixels')
    return run


def selection():
    image, layer = make(*FORMATS['u16-rgba'], profile=Gimp.ColorProfile.new_rgb_adobe())
    rect = (10, 7, 21, 13)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *rect)
    data = get(layer, rect)
    result = upscale(image, layer, 'new-image', scale=3.0)
    equal((result.get_width(), result.get_height()), (63, 39), 'canvas')
    same(get(result.get_layers()[0]), repeated(data, 21, 8, 3), 'pixels')
    profile = result.get_color_profile()
    equal(bytes(profile.get_icc_profile()), bytes(image.get_color_profile().get_icc_profile()), 'profile')


def selection_layer():
    image, layer = make(*FORMATS['u8-rgb'])
    rect = (10, 7, 21, 13)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *rect)
    data = get(layer, rect)
    upscale(image, layer, 'new-layer')
    new = image.get_layers()[0]
    equal(tuple(new.get_offsets())[-2:], (10, 7), 'offsets')
    same(get(new), repeated(data, 21, 3, 2), 'pixels')


def selection_replace():
    image, layer = make(*FORMATS['u8-rgb'])
    rect = (10, 7, 21, 13)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *rect)
    data = get(layer, rect)
    upscale(image, layer, 'replace')
    equal((image.get_width(), layer.get_width()), (2 * W, 2 * W), 'size')
    same(get(layer, (20, 14, 42, 26)), repeated(data, 21, 3, 2), 'pixels')


def same_size():
    """Restoring without enlarging: the pixels are those, through GIMP's own replacing."""
    image, layer = make(*FORMATS['u16-rgba'])
    fill_opaque(layer)
    data = get(layer)
    upscale(image, layer, 'replace', scale=1.0)
    same(get(layer), data, 'pixels')


def fill_opaque(layer):
    data = array.array('H', get(layer))
    for i in range(3, len(data), 4):
        data[i] = 65535
    put(layer, data.tobytes())


def mask():
    for output in ('new-image', 'new-layer', 'replace'):
        image, layer = make(*FORMATS['u8-rgba'])
        layer.add_mask(layer.create_mask(Gimp.AddMaskType.WHITE))
        # a half black, a half white: away from the border every scaling gives the same
        row = b'\x00' * (W // 2) + b'\xff' * (W // 2)
        put(layer.get_mask(), row * H)
        data = get(layer)
        result = upscale(image, layer, output)
        new = result.get_layers()[0]
        same(get(new), repeated(data, W, 4, 2), output + ' pixels')
        got = get(new.get_mask())
        equal(len(got), 4 * W * H, output + ' mask size')
        equal((got[0], got[W - 8], got[W + 8], got[-1]), (0, 0, 255, 255), output + ' mask')


def mask_itself():
    image, layer = make(*FORMATS['u8-rgb'])
    layer.add_mask(layer.create_mask(Gimp.AddMaskType.WHITE))
    fill(layer.get_mask(), seed=3)
    data = get(layer.get_mask())
    upscale(image, layer.get_mask(), 'replace')
    same(get(layer.get_mask()), repeated(data, W, 1, 2), 'pixels')


def group():
    image, layer = make(*FORMATS['u8-rgba'])
    folder = Gimp.GroupLayer.new(image, 'folder')
    image.insert_layer(folder, None, 0)
    image.reorder_item(layer, folder, 0)
    fill_alpha(layer)
    data = get(folder)
    upscale(image, folder, 'new-layer')
    new = image.get_layers()[0]
    equal(new.is_group(), False, 'a plain layer')
    same(get(new), repeated(data, W, 4, 2), 'pixels')
    other = upscale(image, layer, 'new-layer')  # a layer within it
    equal(len(folder.get_children()), 2, 'layers in the group')
    same(get(folder.get_children()[0]), repeated(get(layer), W, 4, 2), 'pixels in the group')
    try:
        upscale(image, folder, 'replace')
    except RuntimeError as error:
        equal('no pixels to replace' in str(error), True, 'error %s' % error)
    else:
        raise AssertionError('a group was replaced')


def fill_alpha(layer):
    data = bytearray(get(layer))
    data[3::4] = b'\xff' * (len(data) // 4)
    put(layer, bytes(data))


def errors():
    image, layer = make(*FORMATS['u8-rgb'])
    data = get(layer)
    try:
        upscale(image, layer, 'replace', model='not-there')
    except RuntimeError as error:
        equal('not-there' in str(error), True, 'error %s' % error)
    else:
        raise AssertionError('an unknown model was used')
    same(get(layer), data, 'pixels')
    equal(image.get_width(), W, 'width')


def compact():
    """Leaves what it got for the caller to compare with the library's own result."""
    for name, base, precision, alpha in (('u8', RGB, P.U8_NON_LINEAR, False), ('u16', RGB, P.U16_NON_LINEAR, True)):
        image, layer = make(base, precision, alpha)
        with open('/tmp/osediff-test/%s.in' % name, 'wb') as file:
            file.write(get(layer))
        result = upscale(image, layer, 'new-image', model='compact', scale=4.0)
        with open('/tmp/osediff-test/%s.out' % name, 'wb') as file:
            file.write(get(result.get_layers()[0]))


def overhead():
    """The whole call as a script sees it, in seconds."""
    image = Gimp.Image.new_with_precision(2000, 1500, RGB, P.U16_NON_LINEAR)
    layer = Gimp.Layer.new(image, 'photo', 2000, 1500, Gimp.ImageType(1), 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, None, 0)
    put(layer, os.urandom(2000 * 8) * 1500)
    start = time.monotonic()
    upscale(image, layer, 'new-image', model='compact', scale=4.0)
    print('SECONDS %.3f' % (time.monotonic() - start), flush=True)


def no_engine():
    """start.json names a program that fails: its last line is shown, with the remedy."""
    image, layer = make(*FORMATS['u8-rgb'])
    try:
        upscale(image, layer, 'new-image')
    except RuntimeError as error:
        equal(str(error), 'The osediff engine did not start: no port is free. '
              'Run "osediff serve" in a terminal to see more.', 'error')
    else:
        raise AssertionError('it worked without an engine')


def starts_engine():
    """start.json names a program that has the engine started."""
    image, layer = make(*FORMATS['u8-rgb'])
    data = get(layer)
    result = upscale(image, layer, 'new-image')
    same(get(result.get_layers()[0]), repeated(data, W, 3, 2), 'pixels')


CASES = {
    '%s %s' % (name, output): format_case(name, output)
    for name in FORMATS for output in ('new-image', 'new-layer', 'replace')
}
for case in (selection, selection_layer, selection_replace, same_size, mask, mask_itself, group, errors):
    CASES[case.__name__.replace('_', ' ')] = case
ALONE = {case.__name__.replace('_', ' '): case for case in (compact, overhead, no_engine, starts_engine)}
if os.environ['CASES'] != 'all':
    CASES = {os.environ['CASES']: ALONE[os.environ['CASES']]}
for name, case in CASES.items():
    try:
        case()
        print('CASE %s ok' % name, flush=True)
    except Exception as error:
        print('CASE %s: %s %s' % (name, type(error).__name__, error), flush=True)
print('CASES done', flush=True)
