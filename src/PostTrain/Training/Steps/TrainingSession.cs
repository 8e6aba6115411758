using System.Diagnostics;
using System.Runtime.ExceptionServices;
using PostTrain.Data;
using PostTrain.Training.Diagnostics;
using PostTrain.Training.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>The frame of a run that all trainers share: counting steps, reporting, checkpoints, resuming, stopping.</summary>
internal sealed class TrainingSession : IDisposable
{
    private readonly nn.Module model;
    private readonly TrainingOptions options;
    private readonly Stopwatch watch = new();
    private string frozen = "";
    private BestEvaluation? best;
    private TimeSpan before;
    private long savedStep = -1;
    private UnfinishedStep? unfinished;
    private string? broken;
    private bool hasAgreed;
    private readonly List<Warning> warnings = [];
    private readonly HashSet<string> told = new(StringComparer.Ordinal);

    internal TrainingSession(nn.Module model, TrainingOptions options, int updatesPerStep = 1)
    {
        this.model = model;
        this.options = options;
        Optimization = new Optimization(model, options, updatesPerStep);
    }

    internal Optimization Optimization { get; }

    /// <summary>The ranks of the run.</summary>
    internal Ranks Ranks => Optimization.Ranks;

    /// <summary>The trainer's own state, kept in checkpoints.</summary>
    internal Func<ITrainerState?> State { get; set; } = () => null;

    /// <summary>Steps done.</summary>
    internal long Step { get; private set; }

    /// <summary>Examples read from the data.</summary>
    internal long DataPosition { get; set; }

    internal TimeSpan Elapsed => before + watch.Elapsed;

    /// <summary>True if the last step's updates are done but its evaluation and report are not, because of an exception between. A
    /// continued run begins with them.</summary>
    internal bool IsUnfinished => unfinished is not null;

    /// <summary>The metrics of the step that is not finished, to add to.</summary>
    internal Dictionary<string, double> Metrics => unfinished!.Metrics;

    /// <summary>True if the unfinished step ends with an evaluation.</summary>
    internal bool EvaluationIsDue => Step % options.Evaluation.Every == 0 || Step == Steps;

    /// <summary>Steps of the run.</summary>
    internal int Steps => Optimization.Steps;

    private bool OutOfPatience => options.Evaluation.Patience > 0 && best is { } value && value.Since >= options.Evaluation.Patience;

    /// <summary>Goes on from a checkpoint directory.</summary>
    internal void Resume(string checkpoint)
    {
        // Before the first tensor changes.
        if (Checkpoint.ReadState(checkpoint).Seed is var seed && seed != options.Seed)
            throw new ArgumentException(
                $"the checkpoint {checkpoint} was made with seed {seed}, the options say {options.Seed}",
                nameof(checkpoint)
            );
        var state = Optimization.Load(() => Checkpoint.Load(checkpoint, model, Optimization, State()));
        (Step, DataPosition, before, savedStep) = (state.Step, state.DataPosition, TimeSpan.FromSeconds(state.ElapsedSeconds), state.Step);
        (best, frozen, unfinished, broken, hasAgreed) = (state.Best, state.Frozen, null, null, false);
        // The run that left the checkpoint has told them.
        warnings.Clear();
    }

    /// <summary>Called first: seeds what a model draws by itself (dropout), unless the run goes on from a checkpoint.</summary>
    /// <exception cref="InvalidOperationException">A step has failed between its updates.</exception>
    internal void Begin()
    {
        if (broken is not null)
            throw new InvalidOperationException(broken);
        if (Step == 0)
            manual_seed((long)options.Seed);
        if (!watch.IsRunning)
            Ranks.First<object?>(TidyUp);
        watch.Start();
    }

    /// <summary>Takes the number of steps from the data where the options give epochs.</summary>
    /// <param name="examples">Examples of the data set.</param>
    internal void Plan(int examples) => Optimization.Steps = options.StepsOn(examples);

    /// <summary>Compares what the ranks are about to train, on which data.</summary>
    /// <exception cref="RankFailedException">A rank differs from rank 0; the message names it and what differs.</exception>
    internal void Agree<T>(IReadOnlyList<T> data, string name)
    {
        ArgumentNullException.ThrowIfNull(data, name);
        if (!Ranks.IsAlone)
            RunAgreement.Check(Ranks, hasAgreed ? null : (options, model), Step, (name, data));
        hasAgreed = true;
    }

    /// <summary>Refuses epochs where there is no data set that they could be counted on.</summary>
    internal void CheckSteps()
    {
        if (options.Epochs is { } epochs && Step == 0)
            throw new InvalidOperationException(
                $"the options have {epochs} epochs, which a run over a data set turns into steps; expected Steps for a loop of your own"
            );
    }

    /// <summary>Returns true if another step follows. After a cancellation, leaves a checkpoint and throws.</summary>
    internal bool Continues(CancellationToken cancellation)
    {
        if (Ranks.Any(cancellation.IsCancellationRequested))
        {
            Save();
            cancellation.ThrowIfCancellationRequested();
            throw new RanksCancelledException("another rank was cancelled", null);
        }
        if (Step < Steps && !OutOfPatience)
            return true;
        Save();
        watch.Stop();
        return false;
    }

    /// <summary>Returns the start of the next step; pass it to <see cref="Undo"/> if the step throws, and dispose it.</summary>
    internal StepStart Start() => new(Optimization.Updates);

    /// <summary>Takes back what a step that has thrown changed, which is the state of the generator. A step that has made some of its
    /// updates cannot be taken back: the run then goes on only
    /// from a checkpoint.</summary>
    internal void Undo(StepStart start)
    {
        long made = Optimization.Updates - start.Updates;
        if (made == 0)
            start.RestoreRandomState();
        else
            broken =
                $"step {Step + 1} failed after {made} of its updates, which cannot be taken back; expected a call of Resume with a "
                + "checkpoint before the run goes on";
    }

    /// <summary>Counts a step as soon as its updates are made, so that nothing that follows and throws can have them made again.</summary>
    /// <param name="loss">Of the last update.</param>
    /// <param name="metrics">To be reported.</param>
    /// <param name="examples">Read from the data.</param>
    /// <param name="tellings">The notifications before the report.</param>
    internal void Count(double loss, Dictionary<string, double> metrics, long examples, params IReadOnlyList<Action> tellings)
    {
        Step++;
        DataPosition += examples;
        unfinished = new UnfinishedStep(loss, metrics, tellings);
    }

    /// <summary>Ends a counted step: tells the observers, saves when it is time. What one of them throws reaches the caller after all have
    /// had their turn; of several failures the first.</summary>
    internal StepReport Complete()
    {
        var (loss, metrics, tellings) = unfinished!;
        unfinished = null;
        var report = new StepReport(Step, loss, metrics, Elapsed) { Warnings = TakeWarnings() };
        bool better = false;
        ExceptionDispatchInfo? failure = null;
        if (Ranks.IsFirst)
            foreach (var telling in tellings)
                Try(telling);
        Try(() => better = Judge(metrics));
        if (Ranks.IsFirst)
            foreach (var observer in options.Observers)
                Try(() => observer.Report(report));
        // One that a cancelled evaluation has left does not know of the evaluation.
        if (savedStep == Step)
            savedStep = -1;
        if (better || (options.CheckpointEvery > 0 && Step % options.CheckpointEvery == 0))
            Try(Save);
        failure?.Throw();
        return report;

        void Try(Action action)
        {
            try
            {
                action();
            }
            catch (Exception exception)
            {
                failure ??= ExceptionDispatchInfo.Capture(exception);
            }
        }
    }

    /// <summary>Passes findings about data on with the next report, each kind once. A run that goes on from a checkpoint has told
    /// those about its data set already.</summary>
    /// <param name="name">Name of the data set.</param>
    /// <param name="notes">The findings.</param>
    internal void Tell(string name, IReadOnlyList<DataNote> notes)
    {
        foreach (var note in notes)
            if (told.Add($"{name}/{note.Name}"))
                warnings.Add(
                    new Warning(note.Name, Step + 1, note.Count, $"In {name}: {note.Message}", note.Advice)
                    {
                        Level = note.IsHarmless ? DiagnosticLevel.Note : DiagnosticLevel.Warning,
                    }
                );
    }

    /// <summary>Keeps a checkpoint of this step, where a directory is given and there is none yet.</summary>
    internal void Save()
    {
        if (options.CheckpointDirectory is not { } directory || savedStep == Step)
            return;
        Save(directory);
        savedStep = Step;
        if (options.KeepCheckpoints > 0 && Ranks.IsFirst)
            Checkpoint.Prune(directory, options.KeepCheckpoints, best?.Step);
    }

    /// <summary>Writes a checkpoint of this step below a directory and returns its path.</summary>
    internal string Save(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (frozen.Length == 0)
            frozen = FrozenParameters.Digest(model);
        var state = new TrainingState(
            TrainingState.CurrentFormat,
            Step,
            Optimization.Updates,
            DataPosition,
            options.Seed,
            Elapsed.TotalSeconds
        )
        {
            Best = best,
            Frozen = frozen,
        };
        return Optimization.Save(() => Checkpoint.Save(directory, model, Optimization, state, State()))
            ?? Checkpoint.PathOf(directory, Step);
    }

    private Warning[] TakeWarnings()
    {
        if (warnings.Count == 0)
            return [];
        Warning[] taken = [.. warnings];
        warnings.Clear();
        return taken;
    }

    // A process that was killed may have saved its last checkpoint and not come to take the older ones away.
    private object? TidyUp()
    {
        if (options.CheckpointDirectory is not { } directory)
            return null;
        Checkpoint.TidyUp(directory);
        if (Step > 0 && options.KeepCheckpoints > 0 && Directory.Exists(directory))
            Checkpoint.Prune(directory, options.KeepCheckpoints, best?.Step);
        return null;
    }

    // Whether the step's evaluation, where it has one, is the best so far.
    private bool Judge(Dictionary<string, double> metrics)
    {
        if (best is null)
            options.Evaluation.CheckNamed(metrics);
        if (!metrics.TryGetValue(options.Evaluation.Metric, out double value))
            return false;
        best = options.Evaluation.Judge(best, Step, value);
        return best?.Step == Step;
    }

    public void Dispose() => Optimization.Dispose();

    /// <summary>The state before a step: the number of updates and the state of the generator that dropout uses.</summary>
    internal sealed class StepStart(long updates) : IDisposable
    {
        // It lives across awaits, so no dispose scope of a thread may own it.
        private readonly Tensor random = get_rng_state().DetachFromDisposeScope();

        internal long Updates { get; } = updates;

        internal void RestoreRandomState() => set_rng_state(random);

        public void Dispose() => random.Dispose();
    }

    // A step whose updates are made but not reported yet: the loss of its last update, its metrics without those of an evaluation, and
    // the notifications before the report.
    private sealed record UnfinishedStep(double Loss, Dictionary<string, double> Metrics, IReadOnlyList<Action> Tellings);
}

/// <summary>The time of a step by part: metrics <c>time/PART</c> in seconds.</summary>
internal sealed class StepClock
{
    private readonly Dictionary<string, double> seconds = [];
    private readonly Stopwatch watch = Stopwatch.StartNew();
    private double taken;

    /// <summary>Adds the time since the last call, or since the start, to a part.</summary>
    internal void Book(string part)
    {
        double now = watch.Elapsed.TotalSeconds;
        seconds[part] = seconds.GetValueOrDefault(part) + now - taken;
        taken = now;
    }

    /// <summary>Seconds since the start.</summary>
    internal double Total => watch.Elapsed.TotalSeconds;

    internal void AddTo(Dictionary<string, double> metrics)
    {
        foreach (var (part, time) in seconds)
            metrics[$"time/{part}"] = time;
    }
}
