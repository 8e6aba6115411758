using System.Globalization;
using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>A task on which refinement methods are compared.</summary>
/// <param name="Name">Name in tables and, without spaces, in metrics.</param>
/// <param name="Tokenizer">The model's tokenizer.</param>
/// <param name="Fresh">The model before any training.</param>
/// <param name="Load">The model that <see cref="RefinementTrial"/> saved in a folder after the warm-up.</param>
/// <param name="Data">The questions of a seed.</param>
/// <param name="Reward">1 for a correct answer.</param>
public sealed record RefinementTask(
    string Name,
    ITokenizer Tokenizer,
    Func<Tuning> Fresh,
    Func<string, Tuning> Load,
    Func<ulong, RefinementData> Data,
    IReward Reward
)
{
    /// <summary>The name in metrics.</summary>
    public string Key => Name.Split(" (")[0].Replace(' ', '_');

    /// <summary>The paper's reward: 1 for the correct answer, 0.1 for another number, 0 for none.</summary>
    private static IReward AnswerAlone => Rewards.Reward.MathAnswer(MathAnswerOptions.ReinforcedFineTuning);

    /// <summary>Creates the task of sums of three numbers on the base model of a folder: in any order, or in the demonstrated
    /// one.</summary>
    /// <param name="folder">Folder of the base model, trained on <see cref="ChainTask.Notes"/>.</param>
    /// <param name="control">True for one valid way: the demonstrations add the numbers in the given order, and no other order is
    /// rewarded.</param>
    /// <param name="questions">Number of training questions.</param>
    /// <param name="heldOut">Number of held-out questions.</param>
    public static RefinementTask Chains(string folder, bool control, int questions, int heldOut)
    {
        var tokenizer = ChainTask.Tokenizer();
        return new RefinementTask(
            control ? "one valid order (control)" : "six valid orders",
            tokenizer,
            () => Of(folder),
            Of,
            seed =>
            {
                var problems = ChainTask.Problems(questions, heldOut: false, seed);
                return new RefinementData(
                    ChainTask.Demonstrations(problems, anyOrder: !control, seed),
                    problems,
                    ChainTask.Problems(heldOut, heldOut: true, seed)
                );
            },
            control ? ChainTask.OneWay() : AnswerAlone
        );

        Tuning Of(string from) => new(Pretrained.Load(from), tokenizer);
    }

    /// <summary>Creates the task of the user's model and records. A seed changes order and sampling, not the held-out records.</summary>
    /// <param name="subject">The model.</param>
    /// <param name="train">Training records; the text after the prompt holds the answer.</param>
    /// <param name="heldOut">Held-out records.</param>
    /// <param name="rank">Rank of a LoRA adapter; 0 trains the whole model.</param>
    public static RefinementTask Records(
        Subject subject,
        IReadOnlyList<Demonstration> train,
        IReadOnlyList<Demonstration> heldOut,
        int rank
    )
    {
        ArgumentNullException.ThrowIfNull(subject);
        var data = new RefinementData(train, Asked(train), Asked(heldOut));
        return new RefinementTask(
            "the records",
            subject.Tokenizer,
            () =>
                rank > 0
                    ? Adapted(model =>
                        AdaptedModel.Attach(
                            model,
                            new LoraOptions
                            {
                                Targets = ModuleSelection.AllLinear,
                                Rank = rank,
                                Alpha = 2 * rank,
                                BaseModel = subject.Folder,
                            }
                        )
                    )
                    : new Tuning(subject.Again(), subject.Tokenizer),
            folder =>
                rank > 0 ? Adapted(model => AdaptedModel.Load(model, folder)) : new Tuning(Pretrained.Load(folder), subject.Tokenizer),
            _ => data,
            AnswerAlone
        );

        Tuning Adapted(Func<Decoder, AdaptedModel> attach)
        {
            var model = subject.Again();
            return new Tuning(model, subject.Tokenizer, attach(model));
        }

        static Problem[] Asked(IReadOnlyList<Demonstration> records) =>
            [.. records.Select(record => new Problem(record.Prompt, AnswerExtraction.Extract(record.Completion) ?? record.Completion))];
    }
}

/// <summary>The questions of a comparison.</summary>
/// <param name="Demonstrations">Questions to train on, with one way to the answer.</param>
/// <param name="Problems">The same questions with what the reward compares with.</param>
/// <param name="HeldOut">Questions that training never sees.</param>
public sealed record RefinementData(
    IReadOnlyList<Demonstration> Demonstrations,
    IReadOnlyList<Problem> Problems,
    IReadOnlyList<Problem> HeldOut
);

/// <summary>Sums of three numbers, worked out in two steps in any order: a question has six valid ways to its answer, and a demonstration
/// shows one.</summary>
/// <remarks>
/// A prompt is <c>6+47+5=</c>; two of its ways are <c>47+6=53;53+5=58</c> and <c>6+5=11;11+47=58</c>. One of the numbers has two digits.
/// The base model has read careless notes in every order, whose writer adds a number of one digit rightly and guesses where one of two
/// digits is to be added. So it can do a question in the orders that begin with the large number and hardly in the others, and nothing
/// tells it which but trying.
/// </remarks>
public static class ChainTask
{
    private const int Smallest = 10,
        Largest = 99,
        Error = 10;

    // As they stand first.
    private static readonly int[][] Orders =
    [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];

    /// <summary>Characters; the model's vocabulary.</summary>
    public static CharacterTokenizer Tokenizer() => new("0123456789+=;");

    /// <summary>A model that has read nothing yet.</summary>
    public static Decoder Model(ulong seed)
    {
        var tokenizer = Tokenizer();
        return Decoder.Create(SmallDecoder.Of(tokenizer, context: 32), seed);
    }

    /// <summary>Different questions, none of which is in the other half: <paramref name="heldOut"/> says which half.</summary>
    public static IReadOnlyList<Problem> Problems(int count, bool heldOut, ulong seed)
    {
        var random = new Random((int)(seed * 2 + (heldOut ? 1u : 0u)));
        var chosen = new HashSet<(int, int, int)>();
        while (chosen.Count < count)
        {
            var terms = Draw(random);
            if (IsHeldOut(terms) == heldOut)
                chosen.Add((terms[0], terms[1], terms[2]));
        }
        return
        [
            .. chosen.Select(terms => new Problem(
                Prompt([terms.Item1, terms.Item2, terms.Item3]),
                Text(terms.Item1 + terms.Item2 + terms.Item3)
            )),
        ];
    }

    /// <summary>Careless notes on questions that are not held out: what the base model reads.</summary>
    public static IReadOnlyList<Demonstration> Notes(int count, ulong seed)
    {
        var random = new Random((int)seed);
        var notes = new List<Demonstration>(count);
        while (notes.Count < count)
        {
            var terms = Draw(random);
            if (!IsHeldOut(terms))
                notes.Add(new Demonstration(Prompt(terms), Chain(terms, random.Next(Orders.Length), random)));
        }
        return notes;
    }

    /// <summary>Each question worked out without a guess: in an order that is drawn for it, or always as the numbers stand.</summary>
    public static IReadOnlyList<Demonstration> Demonstrations(IEnumerable<Problem> problems, bool anyOrder, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(problems);
        var random = new Random((int)seed);
        return
        [
            .. problems.Select(problem => new Demonstration(
                problem.Prompt,
                Chain(Terms(problem), anyOrder ? random.Next(Orders.Length) : 0)
            )),
        ];
    }

    /// <summary>Pays 1 for the way that adds the numbers as they stand, 0.1 for anything else with a number, 0 for nothing. A question then
    /// has one valid way, the one that is shown.</summary>
    public static IReward OneWay() =>
        Reward.Of(
            "one_way",
            completion =>
                completion.Text == Chain(Terms(completion.Problem), 0) ? 1
                : AnswerExtraction.Extract(completion.Text) is null ? 0
                : 0.1
        );

    // One question in ten, by a fixed rule that depends on no seed.
    private static bool IsHeldOut(int[] terms)
    {
        uint hash = unchecked((uint)((terms[0] * 100 + terms[1]) * 100 + terms[2]) * 2654435761u);
        hash ^= hash >> 15;
        return (unchecked(hash * 2246822519u) >> 16) % 10 == 0;
    }

    private static int[] Draw(Random random)
    {
        int[] terms = [random.Next(1, 10), random.Next(1, 10), random.Next(1, 10)];
        terms[random.Next(3)] = random.Next(Smallest, Largest + 1);
        return terms;
    }

    private static int[] Terms(Problem problem) =>
        [.. problem.Prompt.Text.TrimEnd('=').Split('+').Select(text => int.Parse(text, CultureInfo.InvariantCulture))];

    private static string Prompt(int[] terms) => $"{string.Join('+', terms.Select(Text))}=";

    // With a random source the writer guesses the sum wherever a number of two digits is to be added, and goes on from the guess.
    private static string Chain(int[] terms, int order, Random? guesses = null)
    {
        int[] places = Orders[order];
        int first = Sum(terms[places[0]], terms[places[1]]),
            second = Sum(first, terms[places[2]]);
        return $"{Text(terms[places[0]])}+{Text(terms[places[1]])}={Text(first)};{Text(first)}+{Text(terms[places[2]])}={Text(second)}";

        int Sum(int left, int right) =>
            guesses is null || right < Smallest ? left + right : Math.Max(0, left + right + guesses.Next(-Error, Error + 1));
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
