using System.Globalization;
using System.IO.Enumeration;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Runner;

/// <summary>Options of <c>--json FILE [--threads N] [--cap-s S] [--keep-heap] [--bf16] [--pairs | --peer COMMAND]
/// [--picture SVG] [ids]</c>.</summary>
/// <param name="Path">Of the result lines.</param>
/// <param name="Threads">Of libtorch, 1 or more.</param>
/// <param name="Patience">Seconds for one workload, above 0.</param>
/// <param name="KeepHeap">Whether freed memory stays in the process.</param>
/// <param name="Type">Of the weights of whole models.</param>
/// <param name="Pairs">Whether each call is compared with the same one by tensor operators instead, in alternation.</param>
/// <param name="Peer">Command line of a peer's program that takes samples of the same workloads, with which each call is compared in
/// alternation instead; null for none.</param>
/// <param name="Picture">Where the ratios of the result lines are drawn, without running anything; null for no picture.</param>
/// <param name="Patterns">On <c>id</c> or <c>id:size</c>, with * and ?; all when empty.</param>
internal sealed record RunnerOptions(
    string Path,
    int Threads,
    double Patience,
    bool KeepHeap,
    ScalarType Type,
    bool Pairs,
    string? Peer,
    string? Picture,
    IReadOnlyList<string> Patterns
)
{
    /// <exception cref="FormatException">An argument is missing or out of range; the message says which.</exception>
    public static RunnerOptions Parse(IReadOnlyList<string> arguments)
    {
        var (path, threads, patience, patterns) = ("", 1, 10.0, new List<string>());
        var (keepHeap, type, pairs) = (false, ScalarType.Float32, false);
        string? peer = null,
            picture = null;
        for (int i = 0; i < arguments.Count; i++)
        {
            string Value() =>
                ++i < arguments.Count ? arguments[i] : throw new FormatException($"{arguments[i - 1]} stands without its value");
            switch (arguments[i])
            {
                case "--json":
                    path = Value();
                    break;
                case "--threads":
                    if (!int.TryParse(Value(), NumberStyles.None, CultureInfo.InvariantCulture, out threads) || threads < 1)
                        throw new FormatException($"--threads {arguments[i]}: expected a whole number of at least 1");
                    break;
                case "--cap-s":
                    if (
                        !double.TryParse(Value(), NumberStyles.Float, CultureInfo.InvariantCulture, out patience)
                        || !(patience > 0 && double.IsFinite(patience))
                    )
                        throw new FormatException($"--cap-s {arguments[i]}: expected seconds above 0");
                    break;
                case "--keep-heap":
                    keepHeap = true;
                    break;
                case "--bf16":
                    type = ScalarType.BFloat16;
                    break;
                case "--pairs":
                    pairs = true;
                    break;
                case "--peer":
                    peer = Value();
                    break;
                case "--picture":
                    picture = Value();
                    break;
                case var option when option.StartsWith('-'):
                    throw new FormatException(
                        $"{option}: expected --json FILE [--threads N] [--cap-s S] [--keep-heap] [--bf16] [--pairs | --peer COMMAND] "
                            + "[--picture SVG] [ids]"
                    );
                case var pattern:
                    patterns.Add(pattern);
                    break;
            }
        }
        return new(
            path.Length > 0 ? path : throw new FormatException("--json stands without its file"),
            threads,
            patience,
            keepHeap,
            type,
            pairs,
            peer,
            picture,
            patterns
        );
    }

    /// <summary>True if a workload of a size is asked for.</summary>
    public bool Selects(string id, string size) =>
        Patterns.Count == 0
        || Patterns.Any(pattern =>
            FileSystemName.MatchesSimpleExpression(pattern, id) || FileSystemName.MatchesSimpleExpression(pattern, $"{id}:{size}")
        );
}
