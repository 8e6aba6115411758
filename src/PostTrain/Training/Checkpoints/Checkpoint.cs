using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using PostTrain.Models;
using PostTrain.Text.Files;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>Reads and writes checkpoints: a directory <c>checkpoint-STEP</c> with <c>model.safetensors</c> (the trained parameters),
/// <c>optimizer.safetensors</c>, <c>state.json</c>, and <c>trainer.safetensors</c> if the trainer has its own tensors.</summary>
/// <remarks>
/// The directory gets its name after all files are written and flushed, so a directory with this name is complete, whenever the process
/// stopped. Files left half-written by a killed process are removed by the next process that saves there, so give each run its own
/// directory. A run resumed from a checkpoint gives the same bytes as an uninterrupted one.
/// <para>Frozen parameters are not included: for an adapted model the checkpoint holds the adapters, and resuming needs the same base
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
    /// <param name="directory">Parent directory of the checkpoints; created if missing.</param>
    /// <param name="model">The model: its trained parameters and buffers are saved; of the frozen ones a digest, so that a run cannot
    /// resume on another base.</param>
    /// <param name="optimization">The optimiser: its tensors, step counts and the state of its update terms are saved.</param>
    /// <param name="state">The state of the run.</param>
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
            // Never without one of the two: an old checkpoint set aside counts until the new one has its name.
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

    /// <summary>Returns the checkpoint of the latest step, or null if there is none. Directories with other names, such as copies, are
    /// ignored.</summary>
    /// <remarks>If a process was killed between the two renames that replace a checkpoint of the same step, the result is the old one,
    /// under its temporary name.</remarks>
    public static string? Latest(string directory) =>
        !Directory.Exists(directory)
            ? null
            : Directory
                .EnumerateDirectories(directory, Prefix + "*")
                .Where(path => StepOf(path) is not null)
                .Concat(SetAside(directory).Where(aside => !Directory.Exists(aside.Target)).Select(aside => aside.Path))
                .Where(path => File.Exists(Path.Combine(path, StateFile)))
                .MaxBy(path => StepOf(path) ?? StepOf(TargetOf(path)!));

    /// <summary>Loads a checkpoint's tensors into the model and the optimiser, and returns the state of the run.</summary>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is malformed or belongs to another model; the message names the file and the content
    /// expected. Nothing is changed.</exception>
    public static TrainingState Load(string checkpoint, nn.Module model, Optimization optimization) =>
        Load(checkpoint, model, optimization, null);

    internal static TrainingState Load(string checkpoint, nn.Module model, Optimization optimization, ITrainerState? own)
    {
        var state = ReadState(checkpoint);
        if (FrozenParameters.Digest(model) is var frozen && frozen != state.Frozen)
            throw new InvalidDataException(
                $"{Path.Combine(checkpoint, StateFile)}: the parameters that are not trained had the digest '{state.Frozen}', those "
                    + $"of this model have '{frozen}'; expected the same base model, frozen in the same places"
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

    internal static Dictionary<string, Tensor> OwnTensors(string checkpoint)
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
            .SelectMany(pair => pair.Second.Tensors.Select(kept => ($"{pair.First.Name}.{kept.Name}", kept.Tensor)))
            .Concat(optimization.TermState);

    // One per parameter: a parameter without a gradient in an update does not count it.
    private static Tensor Counts(Optimization optimization) => tensor(optimization.States.Select(moment => moment.Updates).ToArray());

    // Names and shapes of both files are compared before the first tensor is changed.
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
                    $"{file.Path}: tensor {name} is {entry.Type} [{string.Join(", ", entry.Shape)}], expected {tensor.dtype} "
                        + $"[{string.Join(", ", tensor.shape)}]"
                );
        }
        if (file.Entries.Select(entry => entry.Name).Except(wanted.Select(target => target.Name)).FirstOrDefault() is { } unknown)
            throw new InvalidDataException($"{file.Path}: tensor {unknown} belongs to no trained parameter of this run");
    }

    private static void Restore(SafetensorsFile file, (string Name, Tensor Tensor)[] targets)
    {
        foreach (var (name, tensor) in targets)
        {
            using var scope = NewDisposeScope();
            tensor.copy_(file.Read(name));
        }
    }

    /// <summary>Reads the state of a checkpoint's run: its steps, seed and best evaluation.</summary>
    /// <param name="checkpoint">Directory of the checkpoint.</param>
    /// <exception cref="FileNotFoundException">There is no <c>state.json</c>.</exception>
    /// <exception cref="InvalidDataException">The file is malformed or has another format.</exception>
    public static TrainingState ReadState(string checkpoint)
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

    /// <summary>Removes all checkpoints except the newest ones and the one to spare.</summary>
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
            // A directory with the name is complete even while it is being deleted.
            var hidden = HiddenOf(path);
            Directory.Move(path, hidden);
            DeleteQuietly(hidden);
        }
    }

    /// <summary>Removes half-written and half-deleted directories of a killed process, and restores the name of an old checkpoint whose
    /// replacement is missing.</summary>
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

    // .checkpoint-00000002-0123456789abcdef0123456789abcdef is being written or deleted.
    private static string HiddenOf(string target) =>
        Path.Combine(Path.GetDirectoryName(target)!, $".{Path.GetFileName(target)}-{Guid.NewGuid():N}");

    private static bool IsHidden(string path) => Guid.TryParseExact(Path.GetFileName(path).Split('-')[^1], "N", out _);

    /// <summary>Returns the checkpoint of the best evaluation known to the latest checkpoint, or null.</summary>
    public static string? Best(string directory)
    {
        if (Latest(directory) is not { } latest || ReadState(latest).Best is not { } best)
            return null;
        var path = PathOf(directory, best.Step);
        return File.Exists(Path.Combine(path, StateFile)) ? path : null;
    }

    internal static string PathOf(string directory, long step) =>
        Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{step:D8}"));

    private static long? StepOf(string checkpoint) =>
        Path.GetFileName(checkpoint) is { } name
        && name.StartsWith(Prefix, StringComparison.Ordinal)
        && long.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long step)
            ? step
            : null;

    // Report the first failure: a later one must not hide it.
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
