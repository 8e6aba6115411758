using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using PostTrain.Text.Files;

namespace PostTrain.Training;

/// <summary>File beside the checkpoints that holds what an asynchronous run has finished since: each group as soon as it is finished, in
/// the order of arrival, and the groups that each step took.</summary>
/// <remarks>A line is <c>run HASH</c>, <c>group JSON</c> or <c>step NUMBER GROUP GROUP …</c>. A last line that a killed process has torn
/// is left out. Of what a checkpoint holds, nothing is kept here.</remarks>
internal sealed class RolloutJournal : IDisposable
{
    internal const string FileName = "rollouts.log";
    private const string RunLine = "run ",
        GroupLine = "group ",
        StepLine = "step ";

    private readonly Lock gate = new();
    private readonly string path;
    private readonly string run;
    private readonly List<RolloutGroup> groups = [];
    private readonly Dictionary<long, long[]> steps = [];
    private FileStream stream;

    private RolloutJournal(string path, string run)
    {
        (this.path, this.run) = (path, run);
        stream = Append();
    }

    /// <summary>Opens the journal of a run, and rewrites it without what the run does not need: other runs, another course of this one, and
    /// what its checkpoint holds.</summary>
    /// <param name="directory">Directory of the checkpoints; made if it is missing.</param>
    /// <param name="run">Description of the run; a journal of another is replaced.</param>
    /// <param name="step">Steps done.</param>
    /// <param name="backlog">Content of the checkpoint.</param>
    /// <exception cref="InvalidDataException">A line is malformed; the message names file and line. The file is unchanged.</exception>
    internal static RolloutJournal Open(string directory, string run, long step, RolloutBacklog backlog)
    {
        string path = Path.Combine(directory, FileName),
            hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(run)));
        var (groups, steps) = File.Exists(path) ? Read(path, hash, backlog) : ([], []);
        var trained = backlog.Arrivals.ToHashSet();
        groups.RemoveAll(group => trained.Contains(group.Number) || backlog.IsFinished(group.Number));
        // What follows a gap is of another course, from which this one has gone back.
        long next = step;
        while (steps.ContainsKey(next))
            next++;
        bool isOther = steps.Keys.Any(number => number > next);
        foreach (long number in steps.Keys.Where(number => number < step || number >= next).ToArray())
            steps.Remove(number);
        if (isOther)
            groups.Clear();
        Write(path, hash, groups, steps);
        var journal = new RolloutJournal(path, hash);
        journal.groups.AddRange(groups);
        foreach (var (number, taken) in steps)
            journal.steps[number] = taken;
        return journal;
    }

    /// <summary>Finished groups that the journal holds, in their order of arrival.</summary>
    internal IReadOnlyList<RolloutGroup> Groups => groups;

    /// <summary>Returns the groups that a step took before the run was interrupted; null if it did not come to it.</summary>
    internal IReadOnlyList<long>? Of(long step) => steps.GetValueOrDefault(step);

    /// <summary>Writes a group that is finished. Calls may come from any thread.</summary>
    internal void Add(RolloutGroup group)
    {
        lock (gate)
        {
            Write(GroupLine + group.ToJson());
            groups.Add(group);
        }
    }

    /// <summary>Writes which groups a step takes.</summary>
    internal void Add(long step, IReadOnlyList<long> taken)
    {
        lock (gate)
        {
            Write(Line(step, taken));
            steps[step] = [.. taken];
        }
    }

    /// <summary>Drops what the checkpoint of a step holds.</summary>
    internal void Compact(long step)
    {
        lock (gate)
        {
            if (!steps.Keys.Any(number => number < step))
                return;
            var trained = steps.Where(item => item.Key < step).SelectMany(item => item.Value).ToHashSet();
            groups.RemoveAll(group => trained.Contains(group.Number));
            foreach (long number in steps.Keys.Where(number => number < step).ToArray())
                steps.Remove(number);
            stream.Dispose();
            Write(path, run, groups, steps);
            stream = Append();
        }
    }

    /// <summary>Removes the file of a closed journal.</summary>
    internal void Delete() => File.Delete(path);

    /// <summary>Flushes the file to disk and closes it.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (stream.CanWrite)
                stream.Flush(flushToDisk: true);
            stream.Dispose();
        }
    }

    private FileStream Append() => new(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);

    // The line reaches the operating system before this returns: a killed process loses none.
    private void Write(string line)
    {
        ObjectDisposedException.ThrowIf(!stream.CanWrite, this);
        long start = stream.Position;
        try
        {
            stream.Write(Encoding.UTF8.GetBytes(line + "\n"));
        }
        catch (IOException)
        {
            stream.SetLength(start);
            throw;
        }
    }

    private static void Write(string path, string run, IEnumerable<RolloutGroup> groups, Dictionary<long, long[]> steps) =>
        AtomicFile.Write(
            path,
            stream =>
            {
                IEnumerable<string> lines =
                [
                    RunLine + run,
                    .. groups.Select(group => GroupLine + group.ToJson()),
                    .. steps.OrderBy(item => item.Key).Select(item => Line(item.Key, item.Value)),
                ];
                foreach (string line in lines)
                    stream.Write(Encoding.UTF8.GetBytes(line + "\n"));
            }
        );

    private static string Line(long step, IReadOnlyList<long> taken) =>
        string.Create(CultureInfo.InvariantCulture, $"{StepLine}{step} {string.Join(' ', taken)}");

    private static (List<RolloutGroup> Groups, Dictionary<long, long[]> Steps) Read(string path, string run, RolloutBacklog backlog)
    {
        var groups = new List<RolloutGroup>();
        var steps = new Dictionary<long, long[]>();
        foreach (var line in MetricsRecord.Lines(path))
        {
            string text = Encoding.UTF8.GetString(line.Text.Span);
            if (!line.Ended)
                break;
            try
            {
                if (line.Number == 1 ? text != RunLine + run : text.StartsWith(RunLine, StringComparison.Ordinal))
                {
                    if (!text.StartsWith(RunLine, StringComparison.Ordinal))
                        throw new InvalidDataException($"expected '{RunLine}HASH' first");
                    return ([], []);
                }
                if (text.StartsWith(GroupLine, StringComparison.Ordinal))
                    groups.Add(backlog.Parse(text[GroupLine.Length..]));
                else if (text.StartsWith(StepLine, StringComparison.Ordinal))
                {
                    var numbers = text[StepLine.Length..].Split(' ').Select(Number).ToArray();
                    steps[numbers[0]] = numbers[1..];
                }
                else if (line.Number > 1)
                    throw new InvalidDataException($"expected '{GroupLine.Trim()}', '{StepLine.Trim()}' or '{RunLine.Trim()}' first");
            }
            catch (InvalidDataException error)
            {
                throw new InvalidDataException($"{path}, line {line.Number}: {error.Message}", error);
            }
        }
        return (groups, steps);
    }

    private static long Number(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number
            : throw new InvalidDataException($"'{text}' is no number of a step or a group");
}
