using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>The frame of a run that all trainers share: counting steps, reporting, checkpoints, resuming, stopping.</summary>
internal sealed class TrainingSession : IDisposable
{
    private readonly nn.Module model;
    private readonly TrainingOptions options;
    private readonly ITrainerState? own;
    private readonly Stopwatch watch = new();
    private string frozen = "";
    private BestEvaluation? best;
    private TimeSpan before;
    private long savedStep = -1;

    internal TrainingSession(nn.Module model, TrainingOptions options, int updatesPerStep = 1, ITrainerState? state = null)
    {
        this.model = model;
        this.options = options;
        own = state;
        Optimization = new Optimization(model, options, updatesPerStep);
    }

    internal Optimization Optimization { get; }

    /// <summary>Steps done.</summary>
    internal long Step { get; private set; }

    /// <summary>Examples read from the data.</summary>
    internal long DataPosition { get; set; }

    internal TimeSpan Elapsed => before + watch.Elapsed;

    /// <summary>Whether the step at hand is to end with an evaluation.</summary>
    internal bool EvaluationIsDue => (Step + 1) % options.Evaluation.Every == 0 || Step + 1 == options.Steps;

    private bool OutOfPatience => options.Evaluation.Patience > 0 && best is { } value && value.Since >= options.Evaluation.Patience;

    /// <summary>Goes on from a checkpoint directory.</summary>
    internal void Resume(string checkpoint)
    {
        // Before the first tensor changes.
        if (Checkpoint.ReadState(checkpoint).Seed is var seed && seed != options.Seed)
            throw new ArgumentException($"the checkpoint {checkpoint} was made with seed {seed}, the options say {options.Seed}", nameof(checkpoint));
        var state = Checkpoint.Load(checkpoint, model, Optimization, own);
        (Step, DataPosition, before, savedStep) = (state.Step, state.DataPosition, TimeSpan.FromSeconds(state.ElapsedSeconds), state.Step);
        (best, frozen) = (state.Best, state.Frozen);
    }

    /// <summary>Called first: seeds what a model draws by itself (dropout), unless the run goes on from a checkpoint.</summary>
    internal void Begin()
    {
        if (Step == 0) manual_seed((long)options.Seed);
        if (!watch.IsRunning) TidyUp();
        watch.Start();
    }

    /// <summary>Whether another step is to be done. When the run was cancelled, leaves a checkpoint and throws.</summary>
    internal bool Continues(CancellationToken cancellation)
    {
        if (cancellation.IsCancellationRequested)
        {
            Save();
            cancellation.ThrowIfCancellationRequested();
        }
        if (Step < options.Steps && !OutOfPatience) return true;
        Save();
        watch.Stop();
        return false;
    }

    /// <summary>Ends a step: counts, saves when it is time, tells the observers.</summary>
    internal StepReport Complete(double loss, Dictionary<string, double> metrics)
    {
        Step++;
        bool better = Judge(metrics);
        var report = new StepReport(Step, loss, metrics, Elapsed);
        foreach (var observer in options.Observers) observer.Report(report);
        if (better || (options.CheckpointEvery > 0 && Step % options.CheckpointEvery == 0)) Save();
        return report;
    }

    /// <summary>Keeps a checkpoint of this step, where a directory is given and there is none yet.</summary>
    internal void Save()
    {
        if (options.CheckpointDirectory is not { } directory || savedStep == Step) return;
        if (frozen.Length == 0) frozen = FrozenParameters.Digest(model);
        var state = new TrainingState(TrainingState.CurrentFormat, Step, Optimization.Updates, DataPosition, options.Seed, Elapsed.TotalSeconds) { Best = best, Frozen = frozen };
        Checkpoint.Save(directory, model, Optimization, state, own);
        savedStep = Step;
        if (options.KeepCheckpoints > 0) Checkpoint.Prune(directory, options.KeepCheckpoints, best?.Step);
    }

    // A process that was killed may have saved its last checkpoint and not come to take the older ones away.
    private void TidyUp()
    {
        if (options.CheckpointDirectory is not { } directory) return;
        Checkpoint.TidyUp(directory);
        if (Step > 0 && options.KeepCheckpoints > 0 && Directory.Exists(directory)) Checkpoint.Prune(directory, options.KeepCheckpoints, best?.Step);
    }

    // Whether the step's evaluation, where it has one, is the best so far.
    private bool Judge(Dictionary<string, double> metrics)
    {
        if (!metrics.TryGetValue(options.Evaluation.Metric, out double value)) return false;
        best = options.Evaluation.Judge(best, Step, value);
        return best.Step == Step;
    }

    public void Dispose() => Optimization.Dispose();
}
