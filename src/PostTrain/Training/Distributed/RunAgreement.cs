using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using PostTrain.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training.Distributed;

/// <summary>Comparison of what the ranks of a run have to have in common: versions, options, model, data.</summary>
internal static class RunAgreement
{
    // What only rank 0 needs, or each rank has for itself.
    private static readonly HashSet<string> Own =
    [
        nameof(TrainingOptions.Observers),
        nameof(RolloutOptions.CompletionObservers),
        nameof(TrainingOptions.CheckpointDirectory),
        nameof(TrainingOptions.ShowHints),
        nameof(DistributedOptions.Collectives),
    ];

    /// <summary>Compares all ranks with rank 0: options and model where they are given, the steps done, the data.</summary>
    /// <exception cref="RankFailedException">A rank differs; the message names it and what differs.</exception>
    internal static void Check<T>(
        Ranks ranks,
        (TrainingOptions Options, nn.Module Model)? run,
        long step,
        (string Name, IReadOnlyList<T> Items) data
    )
    {
        var messages = ranks.Exchange(
            "the begin of a run",
            writer =>
            {
                (string Name, string Value)[] facts =
                [
                    .. run is { } given ? Facts(given.Options, given.Model) : [],
                    ("the number of steps done", step.ToString(CultureInfo.InvariantCulture)),
                    ($"the number of records of {data.Name}", ContentDigest.Of(data.Items)),
                ];
                writer.Write(facts.Length);
                foreach (var (name, value) in facts)
                {
                    writer.Write(name);
                    writer.Write(value);
                }
            }
        );
        var expected = Read(messages[0]);
        for (int rank = 1; rank < messages.Length; rank++)
        {
            var found = Read(messages[rank]);
            foreach (var (name, value) in expected)
                if (found.GetValueOrDefault(name, "nothing") is var other && other != value)
                    throw ranks.Failure(rank, $"{name} is {other}, expected {value} as on rank 0");
            if (found.Keys.FirstOrDefault(name => !expected.ContainsKey(name)) is { } surplus)
                throw ranks.Failure(rank, $"{surplus} is {found[surplus]}, expected nothing as on rank 0");
        }
    }

    private static IEnumerable<(string Name, string Value)> Facts(TrainingOptions options, nn.Module model)
    {
        yield return ("the version of PostTrain", typeof(RunAgreement).Assembly.GetName().Version!.ToString());
        yield return ("the version of TorchSharp", typeof(Tensor).Assembly.GetName().Version!.ToString());
        yield return ("the version of libtorch", __version__);
        yield return ("the kind of the options", options.GetType().Name);
        foreach (var (name, value) in Values(options, ""))
            yield return ($"the option {name}", value);
        foreach (var (name, tensor) in model.named_parameters().Select(item => (item.name, (Tensor)item.parameter)))
            yield return ($"the parameter {name}", Digest(tensor));
        foreach (var (name, tensor) in model.named_buffers().Select(item => (item.name, item.buffer)))
            yield return ($"the buffer {name}", Digest(tensor));
    }

    // Numbers, names and nested options; of everything else the type.
    private static IEnumerable<(string Name, string Value)> Values(object options, string prefix)
    {
        foreach (
            var property in options
                .GetType()
                .GetProperties(BindingFlags.Instance | BindingFlags.Public)
                .Where(property => property.GetIndexParameters().Length == 0 && !Own.Contains(property.Name))
                .OrderBy(property => property.Name, StringComparer.Ordinal)
        )
        {
            object? value;
            try
            {
                value = property.GetValue(options);
            }
            catch (TargetInvocationException)
            {
                continue;
            }
            if (value is DistributedOptions nested)
            {
                foreach (var item in Values(nested, $"{property.Name}."))
                    yield return item;
                continue;
            }
            yield return (
                prefix + property.Name,
                value switch
                {
                    null => "null",
                    string text => text,
                    IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
                    bool flag => flag.ToString(),
                    _ when ContentDigest.IsRecord(value.GetType()) => ContentDigest.Text(value),
                    _ => value.GetType().Name,
                }
            );
        }
    }

    private static string Digest(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var flat = tensor.detach().contiguous().view(-1);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{tensor.dtype} {string.Join(",", tensor.shape)}\n"));
        // A span of bytes holds less than 2 GiB.
        const long chunk = 1 << 26;
        for (long start = 0; start < flat.NumberOfElements; start += chunk)
            hash.AppendData(flat.narrow(0, start, Math.Min(chunk, flat.NumberOfElements - start)).cpu().bytes);
        var digest = Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
        return $"{tensor.dtype} [{string.Join(", ", tensor.shape)}] with the digest {digest}";
    }

    private static Dictionary<string, string> Read(byte[] message)
    {
        using var reader = Ranks.Reader(message);
        var facts = new Dictionary<string, string>(StringComparer.Ordinal);
        for (int left = reader.ReadInt32(); left > 0; left--)
            facts[reader.ReadString()] = reader.ReadString();
        return facts;
    }
}
