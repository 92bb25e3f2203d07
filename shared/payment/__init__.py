"""The payment's rules: pure, without SQL, AMQP, HTTP or a clock."""
