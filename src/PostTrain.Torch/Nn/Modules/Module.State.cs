namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public partial class Module
        {
            /// <summary>The parameters and persistent buffers by name: the module's own tensors, no copies; a shared one under each of its names.</summary>
            public virtual Dictionary<string, Tensor> state_dict(Dictionary<string, Tensor>? destination = null, string? prefix = null)
            {
                destination ??= [];
                string Key(string name) => string.IsNullOrEmpty(prefix) ? name : $"{prefix}.{name}";
                foreach (var (name, parameter) in _internal_params)
                    if (!parameter.IsInvalid) destination.TryAdd(Key(name), parameter);
                foreach (var (name, (buffer, persistent)) in _internal_buffers)
                    if (persistent && !buffer.IsInvalid) destination.TryAdd(Key(name), buffer);
                foreach (var (name, child) in _internal_submodules) child.state_dict(destination, Key(name));
                return destination;
            }

            /// <summary>Copies tensors into the module's own, by name.</summary>
            /// <param name="strict">Whether a name that only one side has is an error.</param>
            /// <param name="skip">Names to leave alone.</param>
            /// <returns>The module's names that <paramref name="source"/> lacks, and those of the source that the module lacks.</returns>
            /// <exception cref="InvalidOperationException">Names differ and <paramref name="strict"/> is set; nothing was copied.</exception>
            /// <exception cref="ArgumentException">A tensor's shape is another than the module's; nothing was copied.</exception>
            public virtual (IList<string> missing_keys, IList<string> unexpected_keyes) load_state_dict(Dictionary<string, Tensor> source, bool strict = true, IList<string>? skip = null)
            {
                var target = state_dict();
                bool Counts(string name) => skip?.Contains(name) != true;
                List<string> missing = [.. target.Keys.Where(name => Counts(name) && !source.ContainsKey(name))];
                List<string> unexpected = [.. source.Keys.Where(name => Counts(name) && !target.ContainsKey(name))];
                if (strict && missing.Count + unexpected.Count > 0)
                    throw new InvalidOperationException($"The state does not fit the module: missing [{string.Join(", ", missing)}], unexpected [{string.Join(", ", unexpected)}].");

                var pairs = source.Where(entry => Counts(entry.Key) && target.ContainsKey(entry.Key)).Select(entry => (entry.Key, To: target[entry.Key], From: entry.Value)).ToArray();
                foreach (var (name, to, from) in pairs)
                    if (!to.shape.AsSpan().SequenceEqual(from.shape))
                        throw new ArgumentException($"{name}: given shape [{string.Join(",", from.shape)}], expected [{string.Join(",", to.shape)}]", nameof(source));
                using (no_grad())
                    foreach (var (_, to, from) in pairs) to.copy_(from);
                return (missing, unexpected);
            }
        }
    }
}
