#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Domain adaptation: continued pre-training with replay, EWC, L2-SP and LoRA, by what is learnt and what is forgotten. Over five seeds
// plain training forgets 0.828 ± 0.060 of accuracy, replay 0.754 ± 0.184 less; the table is in docs/domain-adaptation.md.
//   dotnet run -c Release samples/experiments/domain-adaptation.cs [-- --seeds 5 --steps N --replay 0.25 --ewc N --l2sp N --output DIR]
using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Penalties;
using static TorchSharp.torch;

const string plain = "continued pre-training";
var command = new SampleCommand(
    "domain-adaptation",
    "Compares ways to learn a domain without forgetting; --steps are those on the domain.",
    steps: 400
);
var seeds = command.Option("--seeds", "Number of seeds, at least 2.", 5, OptionRange.AtLeast(2));
var baseSteps = command.Option("--base-steps", "Steps of the base model on what it knows.", 1000, OptionRange.AtLeast(1));
var replay = command.Option("--replay", "Share of earlier texts in replay.", 0.25, OptionRange.Between(0, 1));
var ewc = command.Option("--ewc", "Weight of elastic weight consolidation.", 1e4, OptionRange.AtLeast(0));
var l2sp = command.Option("--l2sp", "Weight of L2-SP.", 0.03, OptionRange.AtLeast(0));
return await command.RunAsync(
    args,
    (run, values) =>
    {
        double share = values.GetValue(replay);
        var tokenizer = DomainTask.Tokenizer();
        var (known, domain, unrelated) = (
            DomainTask.Texts(DomainTask.Known),
            DomainTask.Texts(DomainTask.Domain),
            DomainTask.Texts(DomainTask.Unrelated)
        );
        var table = new ArmTable(plain);
        for (int i = 1; i <= values.GetValue(seeds); i++)
        {
            ulong seed = run.Seed + (ulong)i;
            using var start = DomainTask.Model(seed);
            Train("base", start, known, values.GetValue(baseSteps), 3e-3);
            double before = DomainTask.Accuracy(start, DomainTask.Known);
            using var fisher = FisherInformation.Exact(start, DomainTask.Contexts(DomainTask.Known), run.Cancellation);
            using var shuffled = Shuffled(fisher, seed);
            Arm(plain, domain);
            Arm($"replay, {share:P0}", Mixed(known));
            Arm("replay of other texts (control)", Mixed(unrelated));
            Arm("EWC", domain, model => WeightPenalty.Ewc(model, fisher, values.GetValue(ewc)));
            Arm("EWC, shuffled information (control)", domain, model => WeightPenalty.Ewc(model, shuffled, values.GetValue(ewc)));
            Arm("L2-SP", domain, model => WeightPenalty.L2Sp(model, values.GetValue(l2sp)));
            using (var model = start.Copy())
            using (
                var adapted = AdaptedModel.Attach(
                    model,
                    new LoraOptions
                    {
                        Targets = ModuleSelection.AllLinear,
                        Rank = 8,
                        Alpha = 16,
                    },
                    seed: seed
                )
            )
            {
                Train("LoRA", model, domain, run.Steps, 3e-3);
                Measure("LoRA", model);
            }

            IReadOnlyList<TokenExample> Mixed(IReadOnlyList<TokenExample> other) =>
                new Mixture<TokenExample>([domain, other], [1 - share, share], seed, 4000);

            void Arm(string name, IReadOnlyList<TokenExample> data, Func<Decoder, WeightPenalty>? hold = null)
            {
                using var model = start.Copy();
                using var penalty = hold?.Invoke(model);
                Train(name, model, data, run.Steps, 2e-3, penalty);
                Measure(name, model);
            }

            void Measure(string name, Decoder model)
            {
                double learnt = DomainTask.Accuracy(model, DomainTask.Domain),
                    forgotten = before - DomainTask.Accuracy(model, DomainTask.Known);
                Console.WriteLine($"seed {seed}, {name}: domain {learnt:F2}, forgotten {forgotten:F2}");
                table.Add(name, "domain accuracy", learnt);
                table.Add(name, "forgetting", forgotten);
            }

            void Train(string name, Decoder model, IReadOnlyList<TokenExample> data, int steps, double rate, IUpdateTerm? term = null)
            {
                using var trainer = new PretrainingTrainer(
                    model,
                    tokenizer,
                    new SftOptions
                    {
                        Steps = steps,
                        BatchSize = 100,
                        LearningRate = rate,
                        WarmupSteps = Math.Min(20, steps / 10),
                        Schedule = LearningRateSchedule.Cosine,
                        Seed = seed,
                        Terms = term is null ? [] : [term],
                    }
                );
                run.Train($"seed {seed}, {name}", steps, trainer.Run(data, cancellation: run.Cancellation), $"seed{seed}/{name}");
            }
        }
        table.Print();
        run.Finish(
            run.Page(
                    "Domain adaptation",
                    "A small decoder knows one table of a hundred results and is trained on texts with another. Forgetting is the "
                        + "accuracy on the "
                        + "known table before minus after; each arm starts from the same weights and makes as many updates."
                )
                .Table($"Means, {values.GetValue(seeds)} seeds", table.Means)
                .Table("Paired differences", table.Differences)
                .Paragraph(
                    "Controls: replay of texts of a third table, and EWC with the information of each weight matrix in another order, "
                        + "which is as "
                        + "large and says nothing."
                ),
            table.Summary
        );
        return Task.CompletedTask;
    }
);

// Each matrix keeps its values, in another order.
static FisherInformation Shuffled(FisherInformation fisher, ulong seed)
{
    using var scope = NewDisposeScope();
    var random = new Random((int)seed);
    return FisherInformation.Of(
        fisher.Values.ToDictionary(
            item => item.Key,
            item =>
            {
                long[] order = [.. Enumerable.Range(0, (int)item.Value.numel()).Select(i => (long)i)];
                random.Shuffle(order);
                return item.Value.reshape(-1).index_select(0, tensor(order)).reshape(item.Value.shape);
            }
        )
    );
}
