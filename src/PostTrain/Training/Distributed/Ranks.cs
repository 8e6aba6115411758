using System.Text;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training.Distributed;

/// <summary>The ranks of a run as trainers use them: who works on which part, and what each learns of the others' work.</summary>
/// <remarks>Every exchange carries what a rank was kept by: where one fails, all throw the same <see cref="RankFailedException"/>, and none
/// waits.</remarks>
internal sealed class Ranks
{
    private const byte Done = 0,
        Failed = 1,
        Cancelled = 2;

    private readonly DistributedOptions options;

    private Ranks(DistributedOptions options, ICollectives? collectives) => (this.options, Collectives) = (options, collectives);

    /// <summary>A run of one process.</summary>
    internal static Ranks None { get; } = new(new DistributedOptions(), null);

    internal ICollectives? Collectives { get; }

    /// <summary>True for a run without ranks: nothing is exchanged.</summary>
    internal bool IsAlone => Collectives is null;

    internal int Rank => Collectives?.Rank ?? 0;

    internal int Size => Collectives?.Size ?? 1;

    /// <summary>True for the rank that reports and writes files.</summary>
    internal bool IsFirst => Rank == 0;

    internal DistributedOptions Options => options;

    /// <summary>The ranks that options name, or this program is started as.</summary>
    internal static Ranks Of(TrainingOptions options) =>
        (options.Distributed.Collectives ?? InProcessCollectives.Current ?? MpiCollectives.OfLauncher()) is { } collectives
            ? new Ranks(options.Distributed, collectives)
            : None;

    /// <summary>Rows of a part: what the options say, else as many that each rank has one part.</summary>
    internal int PartSize(int rows, int? microBatchSize) => Math.Max(1, microBatchSize ?? (rows + Size - 1) / Size);

    /// <summary>True if a part is this rank's: parts are dealt out in turn.</summary>
    internal bool Owns(long part) => part % Size == Rank;

    /// <summary>Does this rank's work and returns the results of all ranks.</summary>
    /// <param name="place">Place in the run, for messages: ranks that are at different places have different programs.</param>
    /// <param name="work">Writes this rank's result.</param>
    /// <exception cref="RankFailedException">The work of a rank has failed, or it is at another place.</exception>
    /// <exception cref="OperationCanceledException">The work of a rank was cancelled.</exception>
    internal byte[][] Exchange(string place, Action<BinaryWriter> work)
    {
        Exception? error = null;
        byte[] own;
        try
        {
            own = Message(place, work);
        }
        catch (Exception exception)
        {
            own = Message(error = exception);
        }
        return Checked(place, own, error);
    }

    /// <inheritdoc cref="Exchange(string, Action{BinaryWriter})"/>
    internal async Task<byte[][]> ExchangeAsync(string place, Func<BinaryWriter, Task> work)
    {
        Exception? error = null;
        byte[] own;
        try
        {
            own = await MessageAsync(place, work).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            own = Message(error = exception);
        }
        return Checked(place, own, error);
    }

    /// <summary>Does work of the first rank alone, and waits for it.</summary>
    internal T First<T>(Func<T> work)
        where T : class?
    {
        if (IsAlone)
            return work();
        T? result = null;
        Exchange(
            "work of rank 0 alone, such as a checkpoint",
            _ =>
            {
                if (IsFirst)
                    result = work();
            }
        );
        return result!;
    }

    /// <summary>Returns true if it is true on any rank.</summary>
    internal bool Any(bool own) =>
        IsAlone ? own : Exchange("the end of a step", writer => writer.Write(own)).Any(message => message[0] != 0);

    /// <summary>Computes tensors in parts, those of this rank here, and returns all of them in order, in the current scope, without
    /// gradients.</summary>
    internal Tensor[] Each(int parts, Func<int, Tensor> compute) => [.. EachOf(parts, part => [compute(part)]).Select(part => part[0])];

    /// <summary>Computes several tensors a part.</summary>
    /// <inheritdoc cref="Each"/>
    internal Tensor[][] EachOf(int parts, Func<int, Tensor[]> compute)
    {
        using var mode = no_grad();
        if (IsAlone)
            return [.. Enumerable.Range(0, parts).Select(Computed)];
        var own = new Dictionary<int, Tensor[]>();
        Device? device = null;
        var messages = Exchange(
            "a pass over a batch",
            writer =>
            {
                for (int part = Rank; part < parts; part += Size)
                {
                    own[part] = Computed(part);
                    device = own[part][0].device;
                    writer.Write(own[part].Length);
                    foreach (var tensor in own[part])
                        TensorMessage.Write(writer, tensor);
                }
            }
        );
        var readers = messages.Select(Reader).ToArray();
        // Parts are dealt out in turn, so the readers are read in turn.
        return [.. Enumerable.Range(0, parts).Select(part => Taken(part, readers[part % Size]))];

        Tensor[] Computed(int part)
        {
            using var scope = NewDisposeScope();
            return [.. compute(part).Select(tensor => tensor.MoveToOuterDisposeScope())];
        }

        Tensor[] Taken(int part, BinaryReader reader)
        {
            if (own.TryGetValue(part, out var mine))
                return mine;
            var read = new Tensor[reader.ReadInt32()];
            for (int i = 0; i < read.Length; i++)
                read[i] = device is null ? TensorMessage.Read(reader) : TensorMessage.Read(reader).to(device);
            return read;
        }
    }

    internal static BinaryReader Reader(byte[] message) => new(new MemoryStream(message), Encoding.UTF8);

    /// <summary>Returns the exception that all ranks throw, rank 0 first.</summary>
    internal RankFailedException Failure(int rank, string cause, Exception? inner = null)
    {
        if (!IsFirst && Collectives is MpiCollectives)
            Thread.Sleep(MpiCollectives.Courtesy);
        return new RankFailedException(rank, cause, inner);
    }

    private byte[][] Checked(string place, byte[] own, Exception? error)
    {
        var messages = Collectives!.Exchange(own, options.Timeout);
        // A failure comes before a cancellation, which may be its consequence.
        for (int rank = 0; rank < messages.Count; rank++)
            if (messages[rank][0] == Failed)
                throw Failure(rank, Encoding.UTF8.GetString(messages[rank].AsSpan(1)), rank == Rank ? error : null);
        for (int rank = 0; rank < messages.Count; rank++)
            if (messages[rank][0] == Cancelled)
                throw new RanksCancelledException($"rank {rank} was cancelled", error);
        return [.. messages.Select((message, rank) => Content(place, message, rank))];
    }

    private byte[] Content(string place, byte[] message, int rank)
    {
        using var reader = Reader(message);
        reader.ReadByte();
        return reader.ReadString() is var other && other == place
            ? message[(int)reader.BaseStream.Position..]
            : throw Failure(
                rank,
                $"it is at {other} while rank {Rank} is at {place}; expected the same program with the same options on all ranks"
            );
    }

    private static byte[] Message(string place, Action<BinaryWriter> work)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(Done);
        writer.Write(place);
        work(writer);
        writer.Flush();
        return stream.ToArray();
    }

    private static async Task<byte[]> MessageAsync(string place, Func<BinaryWriter, Task> work)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(Done);
        writer.Write(place);
        await work(writer).ConfigureAwait(false);
        writer.Flush();
        return stream.ToArray();
    }

    private static byte[] Message(Exception error) =>
        error is OperationCanceledException ? [Cancelled] : [Failed, .. Encoding.UTF8.GetBytes($"{error.GetType().Name}: {error.Message}")];
}

/// <summary>A cancellation that all ranks have agreed on.</summary>
internal sealed class RanksCancelledException(string message, Exception? inner) : OperationCanceledException(message, inner);
