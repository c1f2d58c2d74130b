#!/usr/bin/env python3
"""Filters > Enhance > Neural Upscale for GIMP 3: pixels to the osediff engine service and back.

The engine is a program of its own that `osediff gimp install` has told us about (start.json beside
this file); docs/serve.md says how we talk to it. Nothing of an image changes before the whole result is
here, so a cancelled or failed run leaves everything as it was.
"""
import http.client
import json
import os
import subprocess
import sys
import threading
import time

import gi

gi.require_version('Gimp', '3.0')
gi.require_version('Gegl', '0.4')
gi.require_version('Babl', '0.1')
from gi.repository import Babl, Gegl, Gimp, GLib, GObject  # noqa: E402

NAME = 'osediff-upscale'
TITLE = 'Neural Upscale'
PROTOCOL = 1


class EngineError(Exception):
    """What the user should read, with its remedy."""


# The engine service ------------------------------------------------------------------------------


def notes():
    """What the installer wrote: how to start the engine, and where its port and token will be."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'start.json')
    try:
        with open(path, encoding='utf-8') as file:
            found = json.load(file)
    except (OSError, ValueError):
        raise EngineError('start.json is missing beside the plug-in. '
                          'Run "osediff gimp install" and restart GIMP.')
    if os.environ.get('OSEDIFF_HOME'):
        found['endpoint'] = os.path.join(os.environ['OSEDIFF_HOME'], 'engine.json')
    return found


class Engine:
    """A running engine service. One connection a request: closing it cancels the job."""

    def __init__(self, endpoint):
        self.port, self.token = endpoint['port'], endpoint['token']
        self.connection = None

    def ask(self, path):
        """The answer to a question, as an object."""
        response = self.send('GET', path, timeout=5)
        answer = json.loads(response.read())
        if response.status != 200:
            raise EngineError(answer['error']['message'])
        return answer

    def send(self, method, path, parts=(), timeout=None):
        self.connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout)
        self.connection.putrequest(method, path)
        self.connection.putheader('Authorization', 'Bearer ' + self.token)
        if parts:
            self.connection.putheader('Content-Length', str(sum(len(part) for part in parts)))
        self.connection.endheaders()
        try:
            for part in parts:
                self.connection.send(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused while we were sending: the answer says why
        return self.connection.getresponse()

    def upscale(self, job, pixels, on_event=lambda event: None):
        """Upscales pixels. Returns width, height and bytes in the format that they came in."""
        line = json.dumps(dict(job, protocol=PROTOCOL)).encode() + b'\n'
        try:
            response = self.send('POST', '/v1/upscale', (line, pixels))
            if response.status != 200:
                raise EngineError(json.loads(response.read())['error']['message'])
            for line in iter(response.readline, b''):
                event = json.loads(line)
                if event['event'] == 'error':
                    raise EngineError(event['message'])
                if event['event'] == 'result':
                    return event['width'], event['height'], read_exactly(response, event['bytes'])
                on_event(event)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise EngineError('The osediff engine has stopped (%s). Try again.' % error)
        finally:
            self.connection.close()
        raise EngineError('The osediff engine has stopped in the middle. Try again.')


def read_exactly(response, length):
    data = bytearray(length)
    view, done = memoryview(data), 0
    while done < length:
        count = response.readinto(view[done:done + (1 << 22)])
        if not count:
            raise EngineError('The osediff engine has stopped in the middle. Try again.')
        done += count
    return data


def running_engine(endpoint_file):
    """The engine that the file points to, or None when nobody answers there."""
    try:
        with open(endpoint_file, encoding='utf-8') as file:
            engine = Engine(json.load(file))
        status = engine.ask('/v1/status')
    except (OSError, ValueError, KeyError, EngineError, http.client.HTTPException):
        return None
    if status['protocol'] != PROTOCOL:
        raise EngineError('This plug-in and osediff %s do not fit together. '
                          'Run "osediff gimp install" and restart GIMP.' % status['version'])
    return engine


def find_engine():
    """The running engine; started, when there is none yet and we may."""
    told = notes()
    engine = running_engine(told['endpoint'])
    if engine:
        return engine
    if os.path.exists('/.flatpak-info') or 'SNAP' in os.environ:
        raise EngineError('GIMP in Flatpak or Snap may not start programs. '
                          'Run "osediff serve" in a terminal, then try again.')
    Gimp.progress_init('Starting the osediff engine...')
    child = start(told['command'])
    for _ in range(600):
        time.sleep(0.1)
        engine = running_engine(told['endpoint'])
        if engine:
            return engine
        if child.poll() not in (None, 0):
            said = child.stderr.read().decode(errors='replace').strip().splitlines()
            raise EngineError('The osediff engine did not start: %s. Run "osediff serve" in a '
                              'terminal to see more.' % (said[-1] if said else 'no message'))
    raise EngineError('The osediff engine did not start within a minute. '
                      'Run "osediff serve" in a terminal to see why.')


def start(command):
    """Starts the engine, which outlives us and GIMP."""
    environment = dict(os.environ)
    if 'APPDIR' in environment:  # libraries of an AppImage are not for other programs
        environment.pop('LD_LIBRARY_PATH', None)
    apart = {'start_new_session': True}
    if os.name == 'nt':
        apart = {'creationflags': subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, env=environment, **apart)
    except OSError as error:
        raise EngineError('The osediff engine did not start: %s. '
                          'Run "osediff gimp install" again.' % error)


# Pixels of GIMP ----------------------------------------------------------------------------------


class Pixels:
    """Part of a drawable, as its own bytes, and what they are."""

    def __init__(self, drawable, rect, form=None):
        self.rect = rect
        self.form = form or Babl.get_name(drawable.get_format())
        # None is the drawable's own format; a name of ours would mean sRGB, whatever the profile
        self.bytes = drawable.get_buffer().get(Gegl.Rectangle.new(*rect), 1.0, form,
                                               Gegl.AbyssPolicy.NONE)
        encoding = form or Babl.format_get_encoding(drawable.get_format())
        model, sample = encoding.split(' ')
        self.description = {
            'width': rect[2],
            'height': rect[3],
            'channels': (1 if 'Y' in model else 3) + ('A' in model),
            'type': sample,
            'transfer': 'perceptual' if "'" in model or '~' in model else 'linear',
        }


def write(buffer, x, y, width, height, form, data):
    """Writes rows of pixels, some 64 MB at a time."""
    stride = len(data) // height
    rows = max(1, (64 << 20) // stride)
    view = memoryview(data)
    for top in range(0, height, rows):
        count = min(rows, height - top)
        part = bytes(view[top * stride:(top + count) * stride])
        buffer.set(Gegl.Rectangle.new(x, y + top, width, count), form, part)
    buffer.flush()


class Result:
    """An upscaled part of a drawable, to be put where the user wants it."""

    def __init__(self, image, drawable, source, answer):
        self.image, self.drawable, self.source = image, drawable, source
        self.width, self.height, self.data = answer

    def new_image(self):
        old = self.image
        gray = isinstance(self.drawable, Gimp.Channel) or old.get_base_type() == Gimp.ImageBaseType.GRAY
        base = Gimp.ImageBaseType.GRAY if gray else Gimp.ImageBaseType.RGB
        image = Gimp.Image.new_with_precision(self.width, self.height, base, old.get_precision())
        image.undo_disable()
        profile = old.get_color_profile()
        if profile and gray == (old.get_base_type() == Gimp.ImageBaseType.GRAY):
            image.set_color_profile(profile)
        _, across, down = old.get_resolution()
        image.set_resolution(across, down)
        layer = self.layer_in(image, None, 0)
        layer.set_opacity(100)
        layer.set_mode(Gimp.LayerMode.NORMAL)
        layer.set_visible(True)
        image.undo_enable()
        return image

    def new_layer(self):
        image, item = self.image, self.drawable
        if isinstance(item, Gimp.LayerMask):
            item = Gimp.Layer.from_mask(item)
        inside = isinstance(item, Gimp.Layer)
        parent = item.get_parent() if inside else None
        position = image.get_item_position(item) if inside else 0
        _, left, top = self.drawable.get_offsets()
        left, top = left + self.source.rect[0], top + self.source.rect[1]
        image.undo_group_start()
        try:
            layer = self.layer_in(image, parent, position)
            layer.set_offsets(left, top)
            right = max(image.get_width(), left + self.width)
            bottom = max(image.get_height(), top + self.height)
            if (right, bottom) != (image.get_width(), image.get_height()):
                image.resize(right, bottom, 0, 0)
            image.set_selected_layers([layer])
        finally:
            image.undo_group_end()
        return image

    def replace(self):
        """Scales the image with all that is in it, and puts the result over GIMP's own scaling."""
        image, drawable, (x, y, w, h) = self.image, self.drawable, self.source.rect
        whole = (w, h) == (drawable.get_width(), drawable.get_height())
        whole = whole and Gimp.Selection.is_empty(image)
        across, down = self.width / w, self.height / h
        _, left, top = drawable.get_offsets()
        box = (left + x, top + y, w, h) if is_box(image, (left + x, top + y, w, h)) else None
        image.undo_group_start()
        try:
            if (self.width, self.height) != (w, h):
                image.scale(round(image.get_width() * across), round(image.get_height() * down))
                if whole and (drawable.get_width(), drawable.get_height()) != (self.width, self.height):
                    drawable.scale(self.width, self.height, False)
            if whole and (self.width, self.height) != (w, h):
                # scaling has put the old pixels away for undo
                write(drawable.get_buffer(), 0, 0, self.width, self.height, self.source.form, self.data)
            else:
                if box:  # scaling has made its edges soft
                    image.select_rectangle(Gimp.ChannelOps.REPLACE, round(box[0] * across),
                                           round(box[1] * down), self.width, self.height)
                shadow = drawable.get_shadow_buffer()
                write(shadow, round(x * across), round(y * down), self.width, self.height,
                      self.source.form, self.data)
                drawable.merge_shadow(True)  # minds the selection, and undo
            drawable.update(0, 0, drawable.get_width(), drawable.get_height())
        finally:
            image.undo_group_end()
        return image

    def layer_in(self, image, parent, position):
        """The result as a layer with the old one's mask, mode and name."""
        old, (x, y, w, h) = self.drawable, self.source.rect
        mask = old.get_mask() if isinstance(old, Gimp.Layer) else None
        Gimp.context_push()
        # the pixels are replaced anyway; a mask is scaled by GIMP
        Gimp.context_set_interpolation(
            Gimp.InterpolationType.CUBIC if mask else Gimp.InterpolationType.NONE)
        if is_plain(old):
            layer = Gimp.Layer.new_from_drawable(old, image)
            image.insert_layer(layer, parent, position)
            layer.resize(w, h, -x, -y)
        else:
            layer = Gimp.Layer.new(image, old.get_name(), w, h, layer_type(image, old), 100,
                                   Gimp.LayerMode.NORMAL)
            image.insert_layer(layer, parent, position)
            if isinstance(old, Gimp.Layer):
                copy_look(old, layer)
            if mask:
                part = Pixels(mask, (x, y, w, h))
                layer.add_mask(layer.create_mask(Gimp.AddMaskType.WHITE))
                write(layer.get_mask().get_buffer(), 0, 0, w, h, part.form, part.bytes)
        layer.scale(self.width, self.height, False)
        layer.set_offsets(0, 0)
        Gimp.context_pop()
        write(layer.get_buffer(), 0, 0, self.width, self.height, self.source.form, self.data)
        layer.update(0, 0, self.width, self.height)
        return layer


def is_box(image, rect):
    """Whether just the rectangle is selected, with hard edges."""
    left, top, right, bottom = tuple(Gimp.Selection.bounds(image))[-4:]
    if Gimp.Selection.is_empty(image) or (left, top, right - left, bottom - top) != tuple(rect):
        return False
    selected = image.get_selection().get_buffer().get(Gegl.Rectangle.new(*rect), 1.0, 'Y u8',
                                                      Gegl.AbyssPolicy.NONE)
    return bytes(selected).count(b'\xff') == rect[2] * rect[3]


def is_plain(drawable):
    """Whether it is a layer of pixels: no group, text, link or path layer, no mask or channel."""
    return isinstance(drawable, Gimp.Layer) and drawable.__gtype__ == Gimp.Layer.__gtype__


def layer_type(image, drawable):
    base = 2 if image.get_base_type() == Gimp.ImageBaseType.GRAY else 0
    return Gimp.ImageType(base + int(drawable.has_alpha()))


def copy_look(old, new):
    new.set_opacity(old.get_opacity())
    # groups may pass through, which a layer cannot
    if old.get_mode() != Gimp.LayerMode.PASS_THROUGH:
        new.set_mode(old.get_mode())
    new.set_visible(old.get_visible())


# Progress and dialog -----------------------------------------------------------------------------


class Progress:
    """Tells GIMP how a job goes."""

    def __init__(self):
        Gimp.progress_init('Upscaling...')
        self.start = None

    def show(self, event):
        if event['event'] == 'queued':
            Gimp.progress_set_text('Waiting for %d other jobs...' % event['ahead'])
            Gimp.progress_pulse()
        elif event['event'] == 'loading':
            Gimp.progress_set_text('Loading the model "%s"...' % event['model'])
            Gimp.progress_pulse()
        elif event['phase'] == 'tiles':
            self.tile(event['done'], event['total'])
        elif event['phase'] == 'finish':
            Gimp.progress_set_text('Matching colours...')

    def tile(self, done, total):
        now = time.monotonic()
        self.start = self.start or (now, done)
        since, first = self.start
        text = 'Upscaling: %d of %d tiles' % (done, total)
        if done > first and done < total:
            left = (now - since) / (done - first) * (total - done)
            text += ', about %d s left' % round(left) if left < 90 else ', about %d min left' % round(left / 60)
        Gimp.progress_set_text(text)
        Gimp.progress_update(0.98 * done / total)


def job_options(config):
    lora = config.get_property('lora')
    strength = config.get_property('lora-strength')
    return {
        'model': config.get_property('model'),
        'scale': config.get_property('scale'),
        'detail': config.get_property('detail'),
        'prompt': config.get_property('prompt') or '',
        'color': config.get_property('color'),
        'loras': [{'path': os.path.expanduser(lora), 'strength': strength}] if lora else [],
    }


def selected_part(drawable):
    """Left, top, width and height of the selection within the drawable, or all of it."""
    hit, x, y, width, height = drawable.mask_intersect()
    if not hit:
        raise EngineError('The selection lies beside the layer. Select a part of it, or nothing.')
    return x, y, width, height


def run_dialog(procedure, config, drawable):
    """Asks for the settings. Returns whether to go on."""
    gi.require_version('GimpUi', '3.0')
    gi.require_version('Gtk', '3.0')
    from gi.repository import GimpUi, Gtk

    GimpUi.init('osediff-bridge')
    engine = find_engine()
    names = [model['name'] for model in engine.ask('/v1/models')['models']]
    dialog = GimpUi.ProcedureDialog.new(procedure, config, TITLE)
    model = Gtk.ComboBoxText()
    for name in names:
        model.append(name, name)
    if config.get_property('model') not in names and names:
        config.set_property('model', names[0])
    both = GObject.BindingFlags.BIDIRECTIONAL | GObject.BindingFlags.SYNC_CREATE
    config.bind_property('model', model, 'active-id', both)
    row = Gtk.Box(spacing=12)
    row.pack_start(Gtk.Label(label='_Model', use_underline=True, mnemonic_widget=model), False, False, 0)
    row.pack_start(model, True, True, 0)
    preview = preview_box(Gtk, engine, config, drawable)
    content = dialog.get_content_area()
    content.pack_start(row, False, False, 6)
    dialog.get_scale_entry('detail', 1)
    dialog.fill(['scale', 'detail', 'prompt', 'color', 'lora', 'lora-strength', 'output'])
    content.pack_start(preview, False, False, 6)
    row.show_all()
    preview.show_all()
    try:
        return dialog.run()
    finally:
        preview.stop()
        dialog.destroy()


def preview_box(gtk, engine, config, drawable):
    """A part of the layer before and after, upscaled in a thread while the dialog goes on."""
    from gi.repository import GdkPixbuf

    left, top, width, height = selected_part(drawable)
    edge, shown = 64, 256
    centre = [left + width / 2, top + height / 2]
    box = gtk.Box(spacing=6)
    small = drawable.get_thumbnail(128, 128, Gimp.PixbufTransparency.KEEP_ALPHA)
    map_, before, after = gtk.EventBox(), gtk.Image(), gtk.Image()
    map_.add(gtk.Image.new_from_pixbuf(small))
    map_.set_tooltip_text('Click where the preview shall be')
    map_.set_valign(gtk.Align.CENTER)
    button, state = gtk.Button.new_with_mnemonic('Pre_view'), {'running': None}
    side = gtk.Box(orientation=gtk.Orientation.VERTICAL, spacing=6)
    side.pack_start(map_, True, True, 0)
    side.pack_start(button, False, False, 0)
    for child in (side, before, after):
        box.pack_start(child, False, False, 0)
    for image in (before, after):
        image.set_size_request(shown, shown)

    def crop():
        rect = []
        for at, start, size in ((centre[0], left, width), (centre[1], top, height)):
            count = min(edge, size)
            rect.append((min(max(round(at - count / 2), start), start + size - count), count))
        (x, w), (y, h) = rect
        return Pixels(drawable, (x, y, w, h), "R'G'B'A u8")

    def show(image, width, height, data):
        pixels = GdkPixbuf.Pixbuf.new_from_bytes(
            GLib.Bytes.new(bytes(data)), GdkPixbuf.Colorspace.RGB, True, 8, width, height, width * 4)
        fit = shown / max(width, height)
        image.set_from_pixbuf(pixels.scale_simple(
            max(1, round(width * fit)), max(1, round(height * fit)), GdkPixbuf.InterpType.BILINEAR))

    def start(*_):
        stop()
        part = crop()
        show(before, part.rect[2], part.rect[3], part.bytes)
        after.clear()
        mine = Engine({'port': engine.port, 'token': engine.token})
        state['running'] = mine
        job = dict(job_options(config), **part.description)

        def work():
            try:
                answer, error = mine.upscale(job, part.bytes), None
            except Exception as caught:
                answer, error = None, caught
            GLib.idle_add(done, mine, answer, error)

        button.set_label('Previewing...')
        threading.Thread(target=work, daemon=True).start()

    def done(mine, answer, error):
        if state['running'] is mine:
            state['running'] = None
            button.set_label('Pre_view')
            if answer:
                show(after, *answer)
            else:
                Gimp.message(str(error))

    def stop():
        running, state['running'] = state['running'], None
        if running and running.connection and running.connection.sock:
            running.connection.sock.shutdown(2)

    def click(_, event):
        centre[0] = drawable.get_width() * event.x / small.get_width()
        centre[1] = drawable.get_height() * event.y / small.get_height()
        start()

    map_.connect('button-press-event', click)
    button.connect('clicked', start)
    box.stop = stop
    part = crop()
    show(before, part.rect[2], part.rect[3], part.bytes)
    return box


# The plug-in -------------------------------------------------------------------------------------


def choice(*entries):
    made = Gimp.Choice.new()
    for number, (nick, label) in enumerate(entries):
        made.add(nick, number, label, '')
    return made


class Bridge(Gimp.PlugIn):
    def do_set_i18n(self, name):
        return False

    def do_query_procedures(self):
        return [NAME]

    def do_create_procedure(self, name):
        made = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, self.run, None)
        made.set_image_types('RGB*, GRAY*')
        made.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.DRAWABLE)
        made.set_menu_label('Neural _Upscale...')
        made.add_menu_path('<Image>/Filters/Enhance')
        made.set_documentation(
            'Enlarge with a neural network that restores detail',
            'Upscales the selected part of a layer, or all of it, by one-step diffusion (OSEDiff). '
            'Needs the program osediff.', name)
        made.set_attribution('The osediff authors', 'The osediff authors, Apache-2.0', '2026')
        self.add_arguments(made, GObject.ParamFlags.READWRITE)
        return made

    def add_arguments(self, made, flags):
        made.add_string_argument('model', '_Model', 'An installed model', 'compact', flags)
        made.add_double_argument('scale', 'Sc_ale', 'Size of the result over size of the original',
                                 1, 16, 4, flags)
        made.add_double_argument('detail', '_Detail', 'How much of the generated detail enters',
                                 0, 1, 1, flags)
        made.add_string_argument('prompt', '_Prompt', 'What the picture shows', '', flags)
        made.add_choice_argument(
            'color', 'Colo_ur', 'How colours are matched to the original',
            choice(('adain', 'As a whole'), ('wavelet', 'In detail'), ('none', 'Not at all')),
            'adain', flags)
        made.add_string_argument('lora', 'LoRA _file', 'Path of a LoRA; may be empty', '', flags)
        made.add_double_argument('lora-strength', 'LoRA stren_gth', '1 is as trained', 0, 2, 1, flags)
        made.add_choice_argument(
            'output', 'Resul_t', 'Where the result goes',
            choice(('new-image', 'New image'), ('new-layer', 'New layer in this image'),
                   ('replace', 'Scale this image and replace the layer')), 'new-image', flags)
        made.add_image_return_value('result', 'Result', 'The image that has the result', False, flags)

    def run(self, procedure, mode, image, drawables, config, _):
        status = Gimp.PDBStatusType
        try:
            if len(drawables) != 1:
                raise EngineError('Select one layer, not %d.' % len(drawables))
            drawable = drawables[0]
            if mode == Gimp.RunMode.INTERACTIVE and not run_dialog(procedure, config, drawable):
                return procedure.new_return_values(status.CANCEL, None)
            result = self.work(mode, image, drawable, config)
        except Exception as error:
            text = str(error) if isinstance(error, EngineError) else '%s: %s' % (
                type(error).__name__, error)
            return procedure.new_return_values(
                status.EXECUTION_ERROR,
                GLib.Error.new_literal(Gimp.PlugIn.error_quark(), text, 0))
        values = procedure.new_return_values(status.SUCCESS, None)
        values.remove(1)
        values.insert(1, GObject.Value(Gimp.Image, result))
        return values

    def work(self, mode, image, drawable, config):
        Gegl.init(None)
        output = config.get_property('output')
        if output == 'replace' and isinstance(drawable, Gimp.Layer) and not is_plain(drawable):
            raise EngineError('Groups, texts, links and paths have no pixels to replace. '
                              'Choose another result, or make a plain layer of it first.')
        source = Pixels(drawable, selected_part(drawable))
        engine = find_engine()
        progress = Progress()
        job = dict(job_options(config), **source.description)
        answer = engine.upscale(job, source.bytes, progress.show)
        Gimp.progress_set_text('Putting the result in place...')
        result = Result(image, drawable, source, answer)
        place = {'new-image': result.new_image, 'new-layer': result.new_layer,
                 'replace': result.replace}[output]
        made = place()
        if output == 'new-image' and mode != Gimp.RunMode.NONINTERACTIVE:
            Gimp.Display.new(made)  # scripts open windows themselves
        Gimp.displays_flush()
        Gimp.progress_end()
        return made


Gimp.main(Bridge.__gtype__, sys.argv)
