namespace PostTrain.Data.Records;

/// <summary>Form of training examples that records are read as: demonstrations, pairs, judged completions or problems.</summary>
/// <typeparam name="T">Type of the examples.</typeparam>
public sealed class RecordForm<T>
{
    internal RecordForm(string expected, Func<JsonRecord, RecordOptions, IEnumerable<T>?> convert) =>
        (Expected, Convert) = (expected, convert);

    /// <summary>Fields that a record must have, for errors.</summary>
    internal string Expected { get; }

    /// <summary>Converts a record; null if it lacks the fields.</summary>
    internal Func<JsonRecord, RecordOptions, IEnumerable<T>?> Convert { get; }
}
