using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>Groups of an asynchronous run that are asked for or finished and not yet trained on, and the order of those that were. Part of
/// checkpoints.</summary>
/// <param name="groupSize">Completions of a group.</param>
/// <param name="vocabularySize">Ids must be below.</param>
internal sealed class RolloutBacklog(int groupSize, int vocabularySize)
{
    /// <summary>Prefix of the names of its tensors.</summary>
    internal const string Prefix = "asynchronous.";

    internal const string ArrivalsName = Prefix + "arrivals";
    private const string IssuedName = Prefix + "issued",
        FinishedName = Prefix + "finished";

    // Steps that were done when each open group was asked for, by number.
    private readonly SortedDictionary<long, long> open = [];
    private readonly List<RolloutGroup> finished = [];
    private readonly List<long> arrivals = [];

    /// <summary>Groups that were asked for in all: the number of the next.</summary>
    internal long Next { get; private set; }

    /// <summary>Groups that are trained on, in their order.</summary>
    internal IReadOnlyList<long> Arrivals => arrivals;

    /// <summary>Groups that were asked for and are not finished, with the steps done then.</summary>
    internal IEnumerable<KeyValuePair<long, long>> Awaited => open.Where(item => finished.All(group => group.Number != item.Key));

    /// <summary>True if no group is under way.</summary>
    internal bool IsEmpty => open.Count == 0;

    /// <summary>True if a group is open: asked for, and not trained on.</summary>
    internal bool IsOpen(long number) => open.ContainsKey(number);

    /// <summary>True if a group is finished and not trained on.</summary>
    internal bool IsFinished(long number) => finished.Exists(group => group.Number == number);

    /// <summary>Reads a group of this run from JSON.</summary>
    /// <exception cref="InvalidDataException">It does not fit.</exception>
    internal RolloutGroup Parse(string json) => RolloutGroup.FromJson(json, groupSize, vocabularySize);

    internal RolloutGroup Group(long number) => finished.Find(group => group.Number == number)!;

    /// <summary>Notes that the next group, or one that is open, is asked for.</summary>
    internal void Ask(long number, long step)
    {
        open[number] = step;
        Next = Math.Max(Next, number + 1);
    }

    /// <summary>Notes that an open group is finished.</summary>
    internal void Arrive(RolloutGroup group)
    {
        open[group.Number] = group.Step;
        finished.Add(group);
    }

    /// <summary>Returns the groups of a step: the first that have arrived, but for those that later steps can still take only if this step
    /// takes older ones. Null while too few have arrived.</summary>
    /// <param name="step">Steps done.</param>
    /// <param name="count">Groups of a step.</param>
    /// <param name="lag">The most steps between asking and training.</param>
    internal long[]? Choose(long step, int count, int lag)
    {
        var taken = new HashSet<long>();
        var chosen = new List<long>();
        foreach (long number in finished.Select(group => group.Number))
        {
            if (chosen.Count == count)
                break;
            taken.Add(number);
            if (Fits(taken, step, count, lag))
                chosen.Add(number);
            else
                taken.Remove(number);
        }
        return chosen.Count == count ? [.. chosen] : null;
    }

    /// <summary>Notes that a step has trained on groups.</summary>
    internal void Consume(IReadOnlyList<long> numbers)
    {
        foreach (long number in numbers)
        {
            open.Remove(number);
            finished.RemoveAll(group => group.Number == number);
            arrivals.Add(number);
        }
    }

    /// <summary>Tensors for a checkpoint, in the current scope.</summary>
    internal IReadOnlyList<(string Name, Tensor Tensor)> Tensors =>
        [
            (ArrivalsName, tensor(arrivals.ToArray())),
            (IssuedName, tensor(open.SelectMany(item => new[] { item.Key, item.Value }).Append(Next).ToArray())),
            (FinishedName, tensor(Encoding.UTF8.GetBytes(string.Concat(finished.Select(group => group.ToJson() + "\n"))))),
        ];

    /// <summary>Reads the tensors of a checkpoint; the action takes them over.</summary>
    /// <exception cref="InvalidDataException">One is missing or does not fit.</exception>
    internal Action Read(IReadOnlyDictionary<string, Tensor> tensors)
    {
        long[] order = ReadNumbers(tensors, ArrivalsName),
            issued = ReadNumbers(tensors, IssuedName);
        if (issued.Length % 2 != 1 || issued.Any(number => number < 0))
            throw new InvalidDataException($"tensor {IssuedName} has {issued.Length} numbers, expected pairs and one more, none negative");
        var asked = issued[..^1].Chunk(2).ToDictionary(pair => pair[0], pair => pair[1]);
        byte[] lines = [.. Found(tensors, FinishedName, ScalarType.Byte).data<byte>()];
        var groups = Encoding.UTF8.GetString(lines).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Parse).ToArray();
        if (groups.FirstOrDefault(group => !asked.ContainsKey(group.Number)) is { } strange)
            throw new InvalidDataException($"tensor {FinishedName} holds group {strange.Number}, which {IssuedName} does not name");
        return () =>
        {
            open.Clear();
            finished.Clear();
            arrivals.Clear();
            foreach (var (number, step) in asked)
                open[number] = step;
            finished.AddRange(groups);
            arrivals.AddRange(order);
            Next = issued[^1];
        };
    }

    /// <summary>Reads a tensor of numbers.</summary>
    internal static long[] ReadNumbers(IReadOnlyDictionary<string, Tensor> tensors, string name) =>
        [.. Found(tensors, name, ScalarType.Int64).data<long>()];

    private static Tensor Found(IReadOnlyDictionary<string, Tensor> tensors, string name, ScalarType type)
    {
        if (!tensors.TryGetValue(name, out var found))
            throw new InvalidDataException($"tensor {name} is missing from the checkpoint: the run that wrote it was not asynchronous");
        return found.dtype == type && found.dim() == 1
            ? found
            : throw new InvalidDataException($"tensor {name} is {found.dtype} of {found.dim()} dimensions, expected {type} [N]");
    }

    // Whether the step can be completed so that no open group becomes too old: for each later step, those that must be trained on up to it
    // are no more than its steps take.
    private bool Fits(HashSet<long> taken, long step, int count, int lag)
    {
        int due = 0;
        foreach (var steps in open.Where(item => !taken.Contains(item.Key)).GroupBy(item => item.Value).OrderBy(group => group.Key))
        {
            due += steps.Count();
            long last = Math.Max(step, steps.Key + lag);
            if (due > (last - step) * count + (count - taken.Count))
                return false;
        }
        return true;
    }
}
