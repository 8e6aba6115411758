using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Data.Curation;
using PostTrain.Numerics;
using PostTrain.Refinement.Writing;
using PostTrain.Text;

namespace PostTrain.Refinement.Instructions;

/// <summary>Self-Instruct: from a few seed tasks a model writes instructions and instances of its own, which it is then fine-tuned
/// on.</summary>
/// <remarks>
/// <para>Wang et al. 2022, arXiv:2212.10560. A round: prompts of six seed and two generated instructions ask for more of them; what breaks
/// the rules of form, or is as near as ROUGE-L 0.7 to the pool, goes; each new instruction is told from a classification; instances are
/// asked for, inputs first, or for classifications labels first; instructions with a good instance join the pool.</para>
/// <para>What joins is at that moment below <see cref="SelfInstructOptions.MaxSimilarity"/> to everything in the pool. A round takes effect
/// as a whole at its end: after an error or a cancellation the pool is as before it. What a prompt shows is a function of (seed, round,
/// place) and the pool, so that with a source that is one of its request, a run that goes on from <see cref="Generated"/> and
/// <see cref="Rounds"/> is the run that never stopped. Not safe for use from several threads at once.</para>
/// </remarks>
public sealed class SelfInstruct
{
    private readonly ITextSource source;
    private readonly SelfInstructOptions options;
    private readonly InstructionTask[] seeds;
    private readonly List<InstructionTask> generated = [];
    private readonly InstructionFilter filter;
    private readonly RougeLPool pool = new();
    private readonly DistinctNgrams words = new(1),
        pairs = new(2);

    /// <param name="seeds">Tasks that people wrote, at least one; instances of them are shown to the model.</param>
    /// <param name="source">The model.</param>
    /// <param name="options">The paper's when null.</param>
    /// <param name="generated">What earlier rounds brought, where a run goes on; none when null.</param>
    /// <param name="rounds">How many rounds those were, at least 0.</param>
    /// <exception cref="ArgumentException">There is no seed, or one has no instruction or no instance.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public SelfInstruct(
        IReadOnlyList<InstructionTask> seeds,
        ITextSource source,
        SelfInstructOptions? options = null,
        IReadOnlyList<InstructionTask>? generated = null,
        int rounds = 0
    )
    {
        ArgumentNullException.ThrowIfNull(seeds);
        ArgumentNullException.ThrowIfNull(source);
        Guard.AtLeast(rounds, 0, nameof(rounds));
        this.options = options ?? new SelfInstructOptions();
        this.options.Check();
        if (seeds.Count == 0)
            throw new ArgumentException("seeds is empty, expected at least one task", nameof(seeds));
        for (int i = 0; i < seeds.Count; i++)
            if (string.IsNullOrWhiteSpace(seeds[i]?.Instruction) || seeds[i].Instances is not { Count: > 0 })
                throw new ArgumentException($"seeds[{i}] lacks an instruction or an instance, expected both", nameof(seeds));
        this.seeds = [.. seeds];
        this.source = source;
        filter = new InstructionFilter(this.options);
        Rounds = rounds;
        foreach (var task in seeds)
            Join(task.Instruction);
        foreach (var task in generated ?? [])
        {
            Join(task.Instruction);
            this.generated.Add(task);
        }
    }

    /// <summary>The tasks that were generated and kept, without the seeds, in the order in which they came.</summary>
    public IReadOnlyList<InstructionTask> Generated => generated;

    /// <summary>Rounds done.</summary>
    public int Rounds { get; private set; }

    /// <summary>Rounds until there are as many tasks, or as many rounds, as the options say; each element is a round that is
    /// done.</summary>
    /// <param name="cancellation">Ends the run; what is in the pool stays.</param>
    public async IAsyncEnumerable<SelfInstructReport> RunAsync([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        while (generated.Count < options.Tasks && Rounds < options.Rounds)
            yield return await StepAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>One round.</summary>
    /// <param name="cancellation">Ends the round without effect.</param>
    /// <exception cref="InvalidOperationException">The source gave another number of completions than there were prompts.</exception>
    public async Task<SelfInstructReport> StepAsync(CancellationToken cancellation = default)
    {
        var rejections = new SortedDictionary<SelfInstructRejection, int>();
        var (proposed, candidates) = await ProposeAsync(rejections, cancellation).ConfigureAwait(false);
        var classifications = await ClassifyAsync(candidates, cancellation).ConfigureAwait(false);
        var instances = await InstancesAsync(candidates, classifications, rejections, cancellation).ConfigureAwait(false);

        var (kept, similarities) = (new List<InstructionTask>(), new List<double>());
        for (int i = 0; i < candidates.Count; i++)
        {
            if (instances[i].Count == 0)
            {
                Count(rejections, SelfInstructRejection.NoInstances);
                continue;
            }
            similarities.Add(pool.Nearest(candidates[i]).F1);
            Join(candidates[i]);
            kept.Add(new InstructionTask(candidates[i], instances[i], classifications[i]));
        }
        generated.AddRange(kept);
        Rounds++;
        return new SelfInstructReport(
            Rounds,
            proposed,
            kept,
            similarities,
            pool.Count,
            rejections,
            (words.Distinct, words.Share),
            (pairs.Distinct, pairs.Share)
        );
    }

    private async Task<(int Proposed, IReadOnlyList<string> Candidates)> ProposeAsync(
        SortedDictionary<SelfInstructRejection, int> rejections,
        CancellationToken cancellation
    )
    {
        MarkedText[] prompts =
        [
            .. Enumerable.Range(0, options.RequestsPerRound).Select(request => options.Prompts.Instructions(Shown(request))),
        ];
        var texts = await TextSource
            .AskAsync(source, prompts, Seeded(options.InstructionRequest, Purpose.Instructions), cancellation)
            .ConfigureAwait(false);
        var (proposed, candidates, fresh) = (0, new List<string>(), new RougeLPool());
        foreach (var instruction in texts.SelectMany(text => InstructionList.Parse(text.Text, text.Finished, options.MaxItems)))
        {
            proposed++;
            var broken = filter.Broken(instruction);
            if (broken is null && Math.Max(pool.Nearest(instruction).F1, fresh.Nearest(instruction).F1) >= options.MaxSimilarity)
                broken = SelfInstructRejection.Similar;
            if (broken is { } reason)
            {
                Count(rejections, reason);
                continue;
            }
            fresh.Add(instruction);
            candidates.Add(instruction);
        }
        return (proposed, candidates);
    }

    // Without a classification among the seeds there is nothing to tell a model what one is.
    private async Task<bool[]> ClassifyAsync(IReadOnlyList<string> candidates, CancellationToken cancellation)
    {
        InstructionTask[] yes = Drawn(
            seeds.Where(task => task.IsClassification),
            options.ClassificationExamples,
            Purpose.Classification,
            0
        );
        if (yes.Length == 0)
            return new bool[candidates.Count];
        InstructionTask[] no = Drawn(seeds.Where(task => !task.IsClassification), options.OtherExamples, Purpose.Classification, 1);
        var shown = Drawn(yes.Concat(no), yes.Length + no.Length, Purpose.Classification, 2);
        MarkedText[] prompts = [.. candidates.Select(instruction => options.Prompts.Classification(shown, instruction))];
        var texts = await TextSource
            .AskAsync(source, prompts, Seeded(options.ClassificationRequest, Purpose.Classification), cancellation)
            .ConfigureAwait(false);
        return [.. texts.Select(text => InstanceText.IsYes(text.Text))];
    }

    private async Task<IReadOnlyList<InstructionInstance>[]> InstancesAsync(
        IReadOnlyList<string> candidates,
        bool[] classifications,
        SortedDictionary<SelfInstructRejection, int> rejections,
        CancellationToken cancellation
    )
    {
        var labels = Drawn(seeds.Where(task => task.IsClassification), options.InstanceExamples, Purpose.Instances, 0);
        var others = Drawn(seeds.Where(task => !task.IsClassification), options.InstanceExamples, Purpose.Instances, 1);
        MarkedText[] prompts =
        [
            .. candidates.SelectMany(
                (instruction, i) =>
                    Enumerable.Repeat(
                        classifications[i]
                            ? options.Prompts.OutputFirst(labels, instruction)
                            : options.Prompts.InputFirst(others, instruction),
                        options.InstanceTexts
                    )
            ),
        ];
        var texts = await TextSource
            .AskAsync(source, prompts, Seeded(options.InstanceRequest, Purpose.Instances), cancellation)
            .ConfigureAwait(false);
        var instances = new IReadOnlyList<InstructionInstance>[candidates.Count];
        for (int i = 0; i < instances.Length; i++)
        {
            bool labelled = classifications[i];
            var read = texts
                .Skip(i * options.InstanceTexts)
                .Take(options.InstanceTexts)
                .SelectMany(text =>
                    labelled
                        ? InstanceText.OutputFirst(text.Text, text.Finished, options.MaxItems)
                        : InstanceText.InputFirst(text.Text, text.Finished, options.MaxItems)
                );
            (instances[i], var rejected) = InstanceFilter.Apply(read, options);
            foreach (var reason in rejected)
                Count(rejections, reason);
        }
        return instances;
    }

    // The instructions of one prompt: generated ones as far as there are any, seeds for the rest, in random order.
    private string[] Shown(int request)
    {
        int all = options.SeedExamples + options.GeneratedExamples,
            own = Math.Min(options.GeneratedExamples, generated.Count);
        var chosen = Drawn(generated, own, Purpose.Instructions, 3 * request)
            .Concat(Drawn(seeds, all - own, Purpose.Instructions, 3 * request + 1));
        return [.. Drawn(chosen, all, Purpose.Instructions, 3 * request + 2).Select(task => task.Instruction)];
    }

    // Some of the items in random order, without putting back: a function of (seed, round, purpose, place) and the items.
    private T[] Drawn<T>(IEnumerable<T> items, int count, Purpose purpose, int place)
    {
        T[] all = [.. items];
        count = Math.Min(count, all.Length);
        ulong key = CounterRandom.Bits(Key(purpose), (ulong)place);
        for (int i = 0; i < count; i++)
        {
            int j = i + CounterRandom.Below(all.Length - i, key, (ulong)i);
            (all[i], all[j]) = (all[j], all[i]);
        }
        return all[..count];
    }

    private TextRequest Seeded(TextRequest request, Purpose purpose) =>
        request with
        {
            Seed = CounterRandom.Bits(Key(purpose), request.Seed, ulong.MaxValue),
        };

    private ulong Key(Purpose purpose) => CounterRandom.Bits(options.Seed, (ulong)Rounds, (ulong)purpose);

    private void Join(string instruction)
    {
        pool.Add(instruction);
        words.Add(instruction);
        pairs.Add(instruction);
    }

    private static void Count(SortedDictionary<SelfInstructRejection, int> rejections, SelfInstructRejection reason) =>
        rejections[reason] = rejections.GetValueOrDefault(reason) + 1;

    private enum Purpose
    {
        Instructions,
        Classification,
        Instances,
    }
}
