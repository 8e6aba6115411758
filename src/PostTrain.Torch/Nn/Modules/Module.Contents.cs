using TorchSharp.Modules;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public partial class Module
        {
            public virtual IEnumerable<Parameter> parameters(bool recurse = true) => named_parameters(recurse).Select(entry => entry.parameter);

            /// <summary>Each parameter once, with the names of the modules on the way to it joined by dots; a shared one under its first name.</summary>
            public virtual IEnumerable<(string name, Parameter parameter)> named_parameters(bool recurse = true)
            {
                var seen = new HashSet<nint>();
                foreach (var (name, parameter) in _internal_params)
                    if (!parameter.IsInvalid && seen.Add(parameter.Handle)) yield return (name, parameter);
                if (!recurse) yield break;
                foreach (var (childName, child) in _internal_submodules)
                    foreach (var (name, parameter) in child.named_parameters())
                        if (seen.Add(parameter.Handle)) yield return ($"{childName}.{name}", parameter);
            }

            public virtual IEnumerable<Tensor> buffers(bool recurse = true, bool include_nonpersistent = true) =>
                named_buffers(recurse, include_nonpersistent).Select(entry => entry.buffer);

            public virtual IEnumerable<(string name, Tensor buffer)> named_buffers(bool recurse = true, bool include_nonpersistent = true)
            {
                var seen = new HashSet<nint>();
                foreach (var (name, (buffer, persistent)) in _internal_buffers)
                    if ((include_nonpersistent || persistent) && !buffer.IsInvalid && seen.Add(buffer.Handle)) yield return (name, buffer);
                if (!recurse) yield break;
                foreach (var (childName, child) in _internal_submodules)
                    foreach (var (name, buffer) in child.named_buffers(true, include_nonpersistent))
                        if (seen.Add(buffer.Handle)) yield return ($"{childName}.{name}", buffer);
            }

            public virtual IEnumerable<Module> children() => named_children().Select(entry => entry.module);

            public virtual IEnumerable<(string name, Module module)> named_children() => _internal_submodules;

            public virtual IEnumerable<Module> modules() => named_modules().Select(entry => entry.module);

            /// <summary>Every module inside this one, without itself: the direct ones first, then theirs.</summary>
            public virtual IEnumerable<(string name, Module module)> named_modules()
            {
                foreach (var entry in _internal_submodules) yield return entry;
                foreach (var (childName, child) in _internal_submodules)
                    foreach (var (name, module) in child.named_modules()) yield return ($"{childName}.{name}", module);
            }

            public virtual bool has_parameter(string target) => get_parameter(target) is not null;

            public virtual bool has_buffer(string target) => get_buffer(target) is not null;

            /// <summary>The parameter with a dotted name; null when there is none.</summary>
            public virtual Parameter? get_parameter(string target)
            {
                ArgumentNullException.ThrowIfNull(target);
                if (_internal_params.TryGetValue(target, out var found)) return found;
                return Below(target) is ({ } child, { } rest) ? child.get_parameter(rest) : null;
            }

            /// <summary>The buffer with a dotted name; null when there is none.</summary>
            public virtual Tensor? get_buffer(string target)
            {
                ArgumentNullException.ThrowIfNull(target);
                if (_internal_buffers.TryGetValue(target, out var found)) return found.Item1;
                return Below(target) is ({ } child, { } rest) ? child.get_buffer(rest) : null;
            }

            protected virtual Parameter[] _parameters(bool recurse = true) => [.. parameters(recurse)];

            protected virtual (string name, Parameter parameter)[] _named_parameters() => [.. named_parameters()];

            protected virtual (string name, Tensor buffer)[] _named_buffers() => [.. named_buffers()];

            private (Module?, string?) Below(string target)
            {
                int dot = target.IndexOf('.', StringComparison.Ordinal);
                if (dot < 0) return (null, null);
                return (named_children().FirstOrDefault(entry => entry.name == target[..dot]).module, target[(dot + 1)..]);
            }
        }
    }
}
