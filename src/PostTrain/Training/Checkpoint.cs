using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using PostTrain.Models;
using PostTrain.Text.Files;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>A run on disk: a directory <c>checkpoint-STEP</c> with <c>model.safetensors</c> (what is trained),
/// <c>optimizer.safetensors</c>, <c>state.json</c>, and <c>trainer.safetensors</c> where the trainer has tensors of its own.</summary>
/// <remarks>
/// The directory gets its name when all of it is written and flushed: what bears the name is complete, whenever the process
/// was stopped; what a killed process left half-written is removed by the next one that saves there, so give each run a directory of its
/// own. A run that goes on from a checkpoint gives the same bytes as one that was never stopped.
/// <para>Parameters that are not trained are not in it: with adapters on the model it holds the adapters, and resuming needs the same base
/// model.</para>
/// </remarks>
public static class Checkpoint
{
    private const string Prefix = "checkpoint-";
    private const string ModelFile = "model.safetensors";
    private const string OptimizerFile = "optimizer.safetensors";
    private const string TrainerFile = "trainer.safetensors";
    private const string StateFile = "state.json";
    private const string Replaced = "-replaced";
    private const string StepCounts = "steps";
    private const string RandomState = "random_state";
    private static readonly JsonSerializerOptions Strict = new()
    {
        RespectRequiredConstructorParameters = true,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>Writes a checkpoint and returns its directory; one of the same step is replaced.</summary>
    /// <param name="directory">Where checkpoints are kept; made when missing.</param>
    /// <param name="model">Its trained parameters and its buffers are kept; of the others a digest, so that a run cannot go on over another
    /// base.</param>
    /// <param name="optimization">Its optimiser's tensors and step counts are kept.</param>
    /// <param name="state">Where the run stands.</param>
    public static string Save(string directory, nn.Module model, Optimization optimization, TrainingState state) =>
        Save(directory, model, optimization, state, null);

    internal static string Save(string directory, nn.Module model, Optimization optimization, TrainingState state, ITrainerState? own)
    {
        if (state.Frozen.Length == 0)
            state = state with { Frozen = FrozenParameters.Digest(model) };
        if (own is not null)
            state = state with { Values = own.Values };
        Directory.CreateDirectory(directory);
        TidyUp(directory);
        var target = PathOf(directory, state.Step);
        string partial = HiddenOf(target),
            replaced = Path.Combine(directory, $".{Path.GetFileName(target)}{Replaced}");
        try
        {
            Directory.CreateDirectory(partial);
            using (NewDisposeScope())
            {
                SafetensorsFile.Write(Path.Combine(partial, ModelFile), Tensors(model));
                SafetensorsFile.Write(
                    Path.Combine(partial, OptimizerFile),
                    [.. Moments(optimization), (StepCounts, Counts(optimization)), (RandomState, get_rng_state())]
                );
                if (own?.Tensors is { Count: > 0 } kept)
                    SafetensorsFile.Write(Path.Combine(partial, TrainerFile), kept);
            }
            AtomicFile.Write(Path.Combine(partial, StateFile), stream => JsonSerializer.Serialize(stream, state, Strict));
            // Never without one of the two: an old one that stands aside counts until the new one has its name.
            if (Directory.Exists(target))
                Directory.Move(target, replaced);
            Directory.Move(partial, target);
            DeleteQuietly(replaced);
            return target;
        }
        catch
        {
            DeleteQuietly(partial);
            TidyUp(directory);
            throw;
        }
    }

    /// <summary>The checkpoint of the latest step, or null when there is none. What is not named by a step, such as a copy put aside, is
    /// not looked at.</summary>
    /// <remarks>Where a process was killed between the two renames that replace a checkpoint of the same step, it is the old one, under its
    /// name of that moment.</remarks>
    public static string? Latest(string directory) =>
        !Directory.Exists(directory)
            ? null
            : Directory
                .EnumerateDirectories(directory, Prefix + "*")
                .Where(path => StepOf(path) is not null)
                .Concat(SetAside(directory).Where(aside => !Directory.Exists(aside.Target)).Select(aside => aside.Path))
                .Where(path => File.Exists(Path.Combine(path, StateFile)))
                .MaxBy(path => StepOf(path) ?? StepOf(TargetOf(path)!));

    /// <summary>Puts a checkpoint's tensors into the model and the optimiser, and returns where the run stood.</summary>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is broken or belongs to another model; names the file and what was expected. Nothing
    /// has changed.</exception>
    public static TrainingState Load(string checkpoint, nn.Module model, Optimization optimization) =>
        Load(checkpoint, model, optimization, null);

    internal static TrainingState Load(string checkpoint, nn.Module model, Optimization optimization, ITrainerState? own)
    {
        var state = ReadState(checkpoint);
        if (FrozenParameters.Digest(model) is var frozen && frozen != state.Frozen)
            throw new InvalidDataException(
                $"{Path.Combine(checkpoint, StateFile)}: the parameters that are not trained had the digest '{state.Frozen}', those of this model have '{frozen}'; expected the same base model, frozen in the same places"
            );
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var weights = SafetensorsFile.Open(Path.Combine(checkpoint, ModelFile));
        using var moments = SafetensorsFile.Open(Path.Combine(checkpoint, OptimizerFile));
        var random = get_rng_state();
        (string, Tensor)[] parameters = [.. Tensors(model)],
            averages = [.. Moments(optimization)];
        Check(weights, parameters);
        Check(moments, [.. averages, (StepCounts, Counts(optimization)), (RandomState, random)]);
        var counts = moments.Read(StepCounts).data<long>().ToArray();
        if (counts.Any(count => count < 0 || count > state.Updates))
            throw new InvalidDataException(
                $"{moments.Path}: tensor {StepCounts} holds {string.Join(", ", counts)}, expected 0 to {state.Updates}"
            );

        var kept = OwnTensors(checkpoint);
        if (own is null && kept.Keys.FirstOrDefault() is { } surplus)
            throw new InvalidDataException(
                $"{Path.Combine(checkpoint, TrainerFile)}: tensor {surplus} belongs to nothing that this run keeps"
            );
        own?.Restore(state.Values, kept);
        Restore(weights, parameters);
        Restore(moments, averages);
        foreach (var (moment, count) in optimization.States.Zip(counts))
            moment.Updates = count;
        set_rng_state(moments.Read(RandomState));
        optimization.Updates = state.Updates;
        return state;
    }

    private static Dictionary<string, Tensor> OwnTensors(string checkpoint)
    {
        var path = Path.Combine(checkpoint, TrainerFile);
        if (!File.Exists(path))
            return [];
        using var file = SafetensorsFile.Open(path);
        return file.Entries.ToDictionary(entry => entry.Name, entry => file.Read(entry.Name));
    }

    private static IEnumerable<(string Name, Tensor Tensor)> Tensors(nn.Module model) =>
        model
            .named_parameters()
            .Where(p => p.parameter.requires_grad)
            .Select(p => (p.name, (Tensor)p.parameter))
            .Concat(model.named_buffers().Select(b => (b.name, b.buffer)));

    private static IEnumerable<(string Name, Tensor Tensor)> Moments(Optimization optimization) =>
        optimization
            .Parameters.Zip(optimization.States)
            .SelectMany(pair => pair.Second.Tensors.Select(kept => ($"{pair.First.Name}.{kept.Name}", kept.Tensor)));

    // One for each parameter: those without a gradient in an update do not count it.
    private static Tensor Counts(Optimization optimization) => tensor(optimization.States.Select(moment => moment.Updates).ToArray());

    // The names and shapes of both files are compared before the first tensor changes.
    private static void Check(SafetensorsFile file, (string Name, Tensor Tensor)[] wanted)
    {
        foreach (var (name, tensor) in wanted)
        {
            if (!file.TryGetEntry(name, out var entry))
                throw new InvalidDataException(
                    $"{file.Path}: tensor {name} is missing, expected shape [{string.Join(", ", tensor.shape)}]"
                );
            if (!entry.Shape.SequenceEqual(tensor.shape) || entry.Type != tensor.dtype)
                throw new InvalidDataException(
                    $"{file.Path}: tensor {name} is {entry.Type} [{string.Join(", ", entry.Shape)}], expected {tensor.dtype} [{string.Join(", ", tensor.shape)}]"
                );
        }
        if (file.Entries.Select(entry => entry.Name).Except(wanted.Select(target => target.Name)).FirstOrDefault() is { } unknown)
            throw new InvalidDataException($"{file.Path}: tensor {unknown} belongs to no parameter of this run");
    }

    private static void Restore(SafetensorsFile file, (string Name, Tensor Tensor)[] targets)
    {
        foreach (var (name, tensor) in targets)
        {
            using var scope = NewDisposeScope();
            tensor.copy_(file.Read(name));
        }
    }

    /// <summary>Where the run of a checkpoint stood.</summary>
    /// <exception cref="FileNotFoundException">There is no <c>state.json</c>.</exception>
    /// <exception cref="InvalidDataException">It is broken or of another format.</exception>
    internal static TrainingState ReadState(string checkpoint)
    {
        var path = Path.Combine(checkpoint, StateFile);
        try
        {
            var state =
                JsonSerializer.Deserialize<TrainingState>(File.ReadAllText(path), Strict) ?? throw new JsonException("it holds null");
            if (state.Format != TrainingState.CurrentFormat)
                throw new InvalidDataException($"{path}: format {state.Format}, expected {TrainingState.CurrentFormat}");
            if (
                state.Step < 0
                || state.Updates < 0
                || state.DataPosition < 0
                || !(state.ElapsedSeconds >= 0 && state.ElapsedSeconds < 1e12)
            )
                throw new InvalidDataException($"{path}: {state}, expected no negative number");
            return state;
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{path}: not the state of a run: {exception.Message}", exception);
        }
    }

    /// <summary>Removes all but the newest checkpoints and the one to spare.</summary>
    internal static void Prune(string directory, int keep, long? spare)
    {
        foreach (
            var path in Directory
                .EnumerateDirectories(directory, Prefix + "*")
                .Where(path => StepOf(path) is { } step && step != spare)
                .OrderByDescending(StepOf)
                .Skip(keep)
                .ToArray()
        )
        {
            // What bears the name is complete, also while it is being deleted.
            var hidden = HiddenOf(path);
            Directory.Move(path, hidden);
            DeleteQuietly(hidden);
        }
    }

    /// <summary>Takes away what a killed process left: half-written and half-deleted directories; and gives an old checkpoint its name back
    /// whose successor did not come.</summary>
    internal static void TidyUp(string directory)
    {
        if (!Directory.Exists(directory))
            return;
        foreach (var (path, target) in SetAside(directory).ToArray())
        {
            if (Directory.Exists(target))
                DeleteQuietly(path);
            else
                Directory.Move(path, target);
        }
        foreach (var path in Directory.EnumerateDirectories(directory, $".{Prefix}*").Where(IsHidden).ToArray())
            DeleteQuietly(path);
    }

    private static IEnumerable<(string Path, string Target)> SetAside(string directory) =>
        Directory
            .EnumerateDirectories(directory, $".{Prefix}*{Replaced}")
            .Where(path => TargetOf(path) is not null)
            .Select(path => (path, TargetOf(path)!));

    // .checkpoint-00000002-replaced stands for checkpoint-00000002.
    private static string? TargetOf(string aside)
    {
        var name = Path.GetFileName(aside);
        if (!name.StartsWith('.') || !name.EndsWith(Replaced, StringComparison.Ordinal))
            return null;
        var target = Path.Combine(Path.GetDirectoryName(aside)!, name[1..^Replaced.Length]);
        return StepOf(target) is null ? null : target;
    }

    // .checkpoint-00000002-0123456789abcdef0123456789abcdef is one that is being written or deleted.
    private static string HiddenOf(string target) =>
        Path.Combine(Path.GetDirectoryName(target)!, $".{Path.GetFileName(target)}-{Guid.NewGuid():N}");

    private static bool IsHidden(string path) => Guid.TryParseExact(Path.GetFileName(path).Split('-')[^1], "N", out _);

    /// <summary>The checkpoint of the best evaluation that the latest one knows of, or null.</summary>
    public static string? Best(string directory)
    {
        if (Latest(directory) is not { } latest || ReadState(latest).Best is not { } best)
            return null;
        var path = PathOf(directory, best.Step);
        return File.Exists(Path.Combine(path, StateFile)) ? path : null;
    }

    private static string PathOf(string directory, long step) =>
        Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{step:D8}"));

    private static long? StepOf(string checkpoint) =>
        Path.GetFileName(checkpoint) is { } name
        && name.StartsWith(Prefix, StringComparison.Ordinal)
        && long.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long step)
            ? step
            : null;

    // The first failure is the one to report: one that follows from it must not hide it.
    private static void DeleteQuietly(string directory)
    {
        try
        {
            if (Directory.Exists(directory))
                Directory.Delete(directory, recursive: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException) { }
    }
}
